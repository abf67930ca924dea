"""Everything a user can cause derives from `LatpredError`; anything else is a bug and keeps its traceback.

LatpredError
├── InputError          an argument out of range, of the wrong length, or an unknown name
│   ├── ProfileError    … of a device
│   ├── NetworkError    … of a network or block
│   └── GranularityError  an S or G that does not fit a block
├── DataError           a file whose content is wrong: every problem, with file and field
└── OutputError         a file that cannot be written
"""


class LatpredError(Exception):
    """The one class to catch.

    >>> from latpred import load_profile
    >>> try:
    ...     load_profile('v10')
    ... except LatpredError as problem:
    ...     print(str(problem)[:40])
    unknown device 'v10'; did you mean v100?
    """


class InputError(LatpredError, ValueError):
    """An argument out of range, of the wrong length, or an unknown name.

    >>> issubclass(InputError, ValueError)
    True
    """


class ProfileError(InputError):
    """A device that does not exist, or parameters that make no device.

    >>> issubclass(ProfileError, InputError)
    True
    """


class NetworkError(InputError):
    """A network or block that does not exist, or parameters that make none.

    >>> issubclass(NetworkError, InputError)
    True
    """


class GranularityError(InputError):
    """An S that is larger than a block's map, or a G larger than its channels."""


class DataError(LatpredError):
    """A file whose content is wrong; the message names the file and every field at fault.

    >>> issubclass(DataError, LatpredError) and not issubclass(DataError, ValueError)
    True
    """


class OutputError(LatpredError):
    """A file that cannot be written.

    >>> issubclass(OutputError, LatpredError)
    True
    """
