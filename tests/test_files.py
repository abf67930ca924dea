"""Device, network and block files: what ships, what you write yourself, and what is wrong with it."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
import yaml

import latpred
from latpred.files import _machine, data_folder, read_yaml, whole_file

HARDWARE, ZOO = (sorted(data_folder(name).glob("*.yaml")) for name in ("hardware", "workloads/zoo"))
V100 = (data_folder("hardware") / "v100.yaml").read_text(encoding="utf-8")
RESNET50 = (data_folder("workloads/zoo") / "resnet50.yaml").read_text(encoding="utf-8")


def name(path):
    return path.stem


@pytest.mark.parametrize("path", HARDWARE, ids=name)
def test_a_shipped_device_loads_and_every_value_has_a_source(path):
    profile = latpred.load_profile(path.stem)
    assert profile == latpred.load_profile(path)
    assert profile.name == path.stem
    given = set(yaml.safe_load(path.read_text(encoding="utf-8"))) - {"name", "title", "sources", "datasheet"}
    given -= {"validated", "peaks", "calibrations"}  # these say themselves where they are from
    given -= {"calibrate_like", "judged"}  # a choice, and what has sources of its own
    assert given <= {source.field for source in profile.sources}
    assert profile.datasheet is None or profile.datasheet.source


@pytest.mark.parametrize("path", ZOO, ids=name)
def test_a_shipped_network_loads_and_says_where_it_is_from(path):
    network = latpred.load_network(path.stem)
    assert network == latpred.load_network(path)
    assert network.name == path.stem
    assert network.source


def test_the_published_devices_and_networks_are_there():  # the names of the papers' evaluation
    assert {"v100", "rtx3090", "rtx3060", "tx2", "nano"} <= set(latpred.list_profiles())
    assert {"resnet50", "resnet101", "regnety-400mf", "regnety-800mf"} <= set(latpred.list_networks())


@pytest.mark.parametrize(
    ("device", "P", "F", "f", "B", "ratio", "N"),
    [  # the table of published devices
        ("v100", 80, 64, 1.5e9, 700e9, 4, 128),
        ("rtx3090", 82, 128, 1.25e9, 936e9, 1, 128),
        ("rtx3060", 28, 128, 1.777e9, 360e9, 4, 128),
        ("tx2", 2, 128, 1.3e9, 59.7e9, 4, 1),
        ("nano", 1, 128, 0.921e9, 25.6e9, 4, 1),
    ],
)
def test_published_parameters(device, P, F, f, B, ratio, N):
    profile = latpred.load_profile(device)
    assert (profile.pes, profile.fp32_lanes_per_pe, profile.clock_hz) == (P, F, f)
    assert (profile.dram_bandwidth, profile.l2_bandwidth_ratio, profile.default_batch) == (B, ratio, N)
    assert (profile.transaction_elements, profile.cycles_in_flight, profile.kernel_s) == (8, 4, 8e-6)
    assert profile.overlap == "add"


def changed(text, **lines):
    """A YAML text with the top-level lines of some fields replaced; None drops a line."""
    kept = []
    for line in text.splitlines():
        field = line.partition(":")[0]
        if field not in lines:
            kept.append(line)
        elif lines[field] is not None:
            kept.append(f"{field}: {lines[field]}")
    return "\n".join(kept) + "\n"


def fails(tmp_path, load, text, error=latpred.DataError, file="own file.yaml"):
    path = tmp_path / file
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(error) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def test_your_own_device_by_path(tmp_path):
    path = tmp_path / "my device.YML"
    path.write_text(changed(V100, name="mine", pes="40"), encoding="utf-8")
    assert latpred.load_profile(path) == latpred.load_profile(str(path))
    assert (latpred.load_profile(path).name, latpred.load_profile(path).pes) == ("mine", 40)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping of fields, `name: value`, and found nothing"),
        ("- a\n- b\n", "expected a mapping of fields, `name: value`, and found a list"),
        ("1: a\n", "expected a mapping of fields, `name: value`, and found a dict"),
        ("name: x\n\tpes: 4\n", "not YAML: line 2, column 1: found a tab character that violates indentation"),
        ("name: {\n", "not YAML: line 2, column 1: did not find expected node content"),
        ("name: a\n---\nname: b\n", "not YAML: line 2, column 1: but found another document"),
        ("pes: 1\nname: x\npes: 2\n", "not YAML: line 3, column 1: 'pes' is given twice"),
        ("name: " + "[" * 5000 + "\n", "not YAML: "),
        (b"\xff\xfe\x00", "is not a text file"),
        (
            "name: !!python/object/apply:os.system [ls]\n",
            "not YAML: line 1, column 7: tags are not read: write the value without 'tag:yaml.org,2002:python/object/",
        ),
    ],
)
def test_a_file_that_is_no_mapping(tmp_path, text, message):
    assert fails(tmp_path, latpred.load_profile, text).startswith(message)


def test_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(latpred.DataError, match=r"mine\.yaml: cannot be read: Permission denied"):
        read_yaml(tmp_path / "mine.yaml")


def test_every_problem_of_a_device_is_named_at_once(tmp_path):
    text = changed(V100, pes="-4", fp32_lanes_per_pe="many", clock_hz="900e9", dram_bandwidth=".nan", kernel_s="-1")
    text = changed(text, overlap="both", default_batch="1.5", l2_bandwidth_ratio=None, title="3") + "watts: 300\n"
    assert fails(tmp_path, latpred.load_profile, text) == (
        "title: must be text, got 3; pes: must be at least 1, got -4; "
        "fp32_lanes_per_pe: must be a whole number, got 'many'; "
        "clock_hz: 9e+11 would be 900 GHz; write 900e6 for 900 MHz; "
        "dram_bandwidth: must be a finite number, got nan; "
        "kernel_s: must be at least 0, got -1; overlap: must be 'add' or 'max', got 'both'; "
        "default_batch: must be a whole number, got 1.5; watts: unknown field"
    )


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("sources: 5", "sources: must be a list, got 5"),
        ("sources: {pes: 3}", "sources 1 text: must be text, got 3"),
        ("sources: {watts: a book}", "sources: name unknown fields: watts"),
        ("datasheet: {pes: 0, watts: 1}", "datasheet pes: must be at least 1, got 0; datasheet source: missing; "),
        ("datasheet: 5", "datasheet: must be a mapping of fields, got 5"),
        ("self: 5", "self: unknown field"),
        ("transaction_elements: 1" + "0" * 16, "transaction_elements: must be at most 1e+15, got 1" + "0" * 16),
    ],
)
def test_problems_inside_sources_and_data_sheets(tmp_path, extra, message):
    least = "name: x\npes: 0\nfp32_lanes_per_pe: 64\nclock_hz: 1.0e+9\ndram_bandwidth: 1.0e+9\nl2_bandwidth_ratio: 1\n"
    found = fails(tmp_path, latpred.load_profile, least + extra + "\n")
    assert "pes: must be at least 1, got 0" in found  # beside the others, not instead of them
    assert message in found


def test_your_own_network_by_path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(changed(RESNET50, name="mine"), encoding="utf-8")
    mine, profile = latpred.load_network(path), latpred.load_profile("tx2")
    paradigm = latpred.Spatial(S=[4, 4, 2, 1], r=0.5)
    shipped = latpred.predict(latpred.load_network("resnet50"), profile, paradigm)
    assert latpred.predict(mine, profile, paradigm).latency_s == shipped.latency_s


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ({"stages": "5\nx:"}, "stages: must be a list, got 5"),
        ({"stages": "[7]\nx:"}, "stages 1: must be a mapping of fields, got 7"),
        ({"aliases": "r51"}, "aliases: must be a list, got 'r51'"),
        ({"aliases": "[]\nimage_size: 224"}, "image_size: must be a list, got 224"),
        ({"aliases": "[]\nimage_size: [224]"}, "image_size 2: missing"),
        ({"aliases": "[]\nimage_size: [224, 0]"}, "image_size 2: must be at least 1, got 0"),
        ({"bottleneck_ratio": "3"}, "stage 1: c_out=256 is no multiple of bottleneck_ratio=3"),
        ({"bottleneck_ratio": "4\ngroup_width: 24"}, "stage 1: 64 inner channels are no multiple of 24"),
        ({"name": "''"}, "name: must not be empty"),
        (
            {"stem": "{c_out: 32, kernel: 7, stride: 2, pool: true}"},
            "stage 1: reads 64 channels, but the stem puts out 32",
        ),
        ({"aliases": "[]\nimage_size: [224, 1000000000]"}, "image_size 2: must be at most 65536, got 1000000000"),
    ],
)
def test_problems_of_a_network(tmp_path, lines, message):
    assert message in fails(tmp_path, latpred.load_network, changed(RESNET50, **lines))


def test_a_stage_reads_what_the_one_before_puts_out(tmp_path):
    text = RESNET50.replace("c_in: 256", "c_in: 128").replace("c_in: 1024", "c_in: 2048")
    assert fails(tmp_path, latpred.load_network, text) == (
        "stage 2: reads 128 channels, but stage 1 puts out 256; stage 4: reads 2048 channels, but stage 3 puts out 1024"
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("depth", 10**6, "1,000,000 blocks are too many; 10,000 are the most"),
        ("image_size", "[1000000000, 224]", "image_size 1: must be at most 65536, got 1000000000"),
        ("heads", 7, "heads=7 × head_dim=64 must be dim=768"),
    ],
)
def test_problems_of_a_transformer(tmp_path, field, value, message):
    text = (data_folder("workloads/zoo") / "vit-b.yaml").read_text(encoding="utf-8")
    text = changed(text, **{field: None}) + f"{field}: {value}\n"
    assert fails(tmp_path, latpred.load_network, text) == message


def test_a_network_of_very_many_blocks_is_refused_at_once(tmp_path):
    """Each block was built before anything was said: 20 s for an image of 10⁹ pixels, and gigabytes of blocks."""
    text = RESNET50.replace("blocks: 4", "blocks: 1000000")
    assert fails(tmp_path, latpred.load_network, text) == "1,000,012 blocks are too many; 10,000 are the most"


def test_a_network_without_layers_is_refused(tmp_path):
    """Nothing takes no time: neither a latency nor a ratio of it is one."""
    assert fails(tmp_path, latpred.load_network, "{name: nothing, stem: [], head: []}") == "has no layers"
    most = latpred.load_network("resnet50").replace(stages=[latpred.Stage(c_in=64, c_out=64, blocks=10_000)])
    assert len(most.blocks) == 10_000


def test_every_problem_of_every_stage_is_named(tmp_path):
    text = RESNET50.replace("blocks: 4", "blocks: none").replace("c_out: 2048", "c_out: -1")
    assert fails(tmp_path, latpred.load_network, text) == (
        "stages 2 blocks: must be a whole number, got 'none'; stages 4 c_out: must be at least 1, got -1"
    )


def test_your_own_block_by_path(tmp_path):
    path = tmp_path / "narrow.yaml"
    path.write_text("c_in: 256\nc_out: 256\nheight: 56\nwidth: 56\n", encoding="utf-8")
    block = latpred.load_block(path)
    assert block == latpred.load_block("r50-stage1").replace(name="narrow", projects="always")
    with pytest.raises(latpred.NetworkError, match="states its own height and width; leave the image size out"):
        latpred.load_block(path, image_size=(300, 300))


def test_a_replaced_file_is_read_again(tmp_path):
    """Files were kept by path and time: one written twice within a tick of the clock gave the old network."""
    import os

    path = tmp_path / "mine.yaml"
    for classes in (10, 20):
        path.write_text(RESNET50 + f"classes: {classes}\n", encoding="utf-8")
        os.utime(path, (1e9, 1e9))
        assert latpred.load_network(path).classes == classes


@pytest.mark.parametrize(("load", "name"), [(latpred.load_network, "vit-b"), (latpred.load_block, "r50-stage2-first")])
def test_records_are_handed_back_as_they_are(load, name):
    found = load(name)
    assert load(found) is found
    for other in (5, None, b"resnet50", latpred.load_profile("tx2")):
        with pytest.raises(latpred.NetworkError, match=r"is given by its name, the path of a .yaml file or its record"):
            load(other)


def test_a_network_in_hand_is_resized_and_a_block_is_not():
    assert latpred.load_network(latpred.load_network("vit-b"), (64, 64)).image_size == (64, 64)
    with pytest.raises(latpred.NetworkError, match="resnet50-stage1: a block states its own height and width"):
        latpred.load_block(latpred.load_block("r50-stage1"), (64, 64))
    with pytest.raises(latpred.NetworkError, match="image_size 1: missing"):
        latpred.load_network("vit-b", ())


@pytest.mark.parametrize(
    ("load", "name", "message"),
    [
        (latpred.load_block, "resnet50-stge1", "did you mean resnet50-stage1?"),
        (latpred.load_block, "resnt50-stage1", "did you mean resnet50?"),
        (latpred.load_network, "resnet5", "did you mean resnet50?"),
        (latpred.load_network, "x" * 10_000 + ".yaml", "there is no network file 'xxx"),
    ],
)
def test_the_nearest_name(load, name, message):
    with pytest.raises(latpred.NetworkError) as caught:
        load(name)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500


def test_problems_of_a_block(tmp_path):
    text = "c_in: 0\nc_out: 64\nheight: tall\nstages: 4\n"
    assert fails(tmp_path, latpred.load_block, text) == (
        "c_in: must be at least 1, got 0; height: must be a whole number, got 'tall'; width: missing; "
        "stages: unknown field"
    )
    text = "c_in: 8\nc_out: 30\nheight: 8\nwidth: 8\n"
    assert fails(tmp_path, latpred.load_block, text) == "c_out=30 is no multiple of bottleneck_ratio=4"


@pytest.mark.parametrize("number", [0, 5, "1", None, 1.0, True, [1], "x" * 10_000])
def test_stages_are_whole_numbers(number):
    network = latpred.load_network("resnet50")
    for asked in (network.stage, network.block):
        with pytest.raises(latpred.NetworkError, match=r"^resnet50 has stages 1 to 4, not .{1,80}$"):
            asked(number)
    with pytest.raises(latpred.InputError, match=r"^first must be true or false, got 1$"):
        network.block(1, first=1)


@pytest.mark.parametrize("load", [latpred.load_profile, latpred.load_network, latpred.load_block])
def test_a_path_without_a_file(load, tmp_path):
    (tmp_path / "folder.yaml").mkdir()
    for path in (tmp_path / "missing.yaml", tmp_path / "folder.yaml"):
        with pytest.raises(latpred.InputError, match=r"there is no \w+ file '.*(missing|folder)\.yaml'"):
            load(path)


# --- output appears whole or not at all


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "rows.csv"
    with whole_file(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
    assert [file.name for file in tmp_path.iterdir()] == ["rows.csv"]
    assert path.read_text() == "half"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
def test_an_interrupted_file_leaves_the_old_one_alone(tmp_path, interruption):
    path = tmp_path / "rows.csv"
    path.write_text("old")

    def interrupted():
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise interruption

    with pytest.raises(interruption):
        interrupted()
    assert [file.name for file in tmp_path.iterdir()] == ["rows.csv"]
    assert path.read_text() == "old"


def test_an_output_that_is_a_link_is_written_through_it(tmp_path):
    (tmp_path / "data").mkdir()
    link, target = tmp_path / "rows.csv", tmp_path / "data" / "today.csv"
    link.symlink_to(target)
    for text in ("first", "second"):  # a target that is not there yet, and one that is
        with whole_file(link) as temporary:
            assert temporary.parent == target.parent
            temporary.write_text(text)
        assert link.is_symlink()
        assert target.read_text() == text
    assert [file.name for file in target.parent.iterdir()] == ["today.csv"]


def test_what_cannot_be_written(tmp_path):
    loop, pipe = tmp_path / "loop.csv", tmp_path / "pipe.csv"
    loop.symlink_to(loop)
    os.mkfifo(pipe)
    for path, message in ((loop, "leads to itself"), (pipe, "is no regular file"), (tmp_path / "a\0b.csv", "NUL")):
        with pytest.raises(latpred.OutputError, match=message), whole_file(path):
            pass
    assert pipe.is_fifo()


def test_a_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("old")
    path.chmod(0o640)
    with whole_file(path) as temporary:
        temporary.write_text("new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


WRITER = """
import sys
from pathlib import Path
from latpred.files import whole_file
path, size = Path(sys.argv[1]), 1_000_000
for number in range(1000):
    with whole_file(path) as temporary:
        with temporary.open("w") as file:
            for _ in range(10):
                file.write(str(number % 10) * (size // 10))
    print(number, flush=True)
"""


def test_a_killed_run_leaves_a_whole_file_and_the_next_one_clears_up(tmp_path):
    path, random = tmp_path / "rows.csv", Random(0)
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        writer.stdout.readline()
        time.sleep(random.uniform(0, 0.02))
        writer.kill()
        writer.communicate()
        text = path.read_text()
        assert len(text) == 1_000_000
        assert len(set(text)) == 1
    abandoned = tmp_path / f".rows.latpred-{_machine()}-{writer.pid}-x.csv"
    others = [
        tmp_path / f".rows.latpred-{_machine()}-{os.getpid()}-x.csv",
        tmp_path / f".a.latpred-0-{writer.pid}-x.csv",
    ]
    for file in (abandoned, *others):  # of a dead process, of a living one, of another machine
        file.write_text("half")
    with whole_file(tmp_path / "other.csv") as temporary:
        temporary.write_text("new")
    assert sorted(tmp_path.iterdir()) == sorted([path, tmp_path / "other.csv", *others])


# --- files that a person would not write


def doubled(levels):
    """Few lines that stand for 9ⁿ values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


# Some versions of PyYAML refuse deep nesting themselves, in their own words.
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: " + "[" * 100_000, "nest"),
        ("- " * 100_000, "nest"),
        ("a: " + "{a: " * 100_000, "nest"),
        ("a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 99)), "line 50, column 12: nested"),
        (doubled(12), "line 6, column 15: more than 200,000 values"),
        ("a0: &a {k: 1}\n" + "".join(f"a{n}: &a\n  <<: [*a, *a]\n" for n in range(40)), "more than 200,000 values"),
        ("a: [" + "1," * 300_000 + "]", "more than 200,000 values"),
        ("a: &a [*a]", "line 1, column 8: *a stands for nothing before it"),
        ("pes: 4\n[1, 2]: 3", "line 2, column 1: a field's name must be text"),
        ("sources: {{a: b}: 3}", "line 1, column 11: a field's name must be text"),
        ("name: !!map [a]", "line 1, column 7: tags are not read"),
        ("pes: 3\nvalidated: !!bool maybe", "line 2, column 12: tags are not read"),
        ("pes: 3\nclock_hz: " + "1" * 5000, "line 2, column 11: a number of 5,000 digits"),
        ("clock_hz: " + "1:" * 100_000 + "1", "line 1, column 11: a number of 200,001 digits"),
        ("name: x\npes: 1\0", "line 2, column 7: the character U+0000 is not allowed"),
        ("x" * 100_000 + ": 1\n" + "pes: 1\n", "line 1, column 100001: "),
    ],
    ids=lambda text: repr(text[:20]),
)
def test_a_hostile_file_is_refused_at_once_with_its_line(tmp_path, text, message):
    started = time.perf_counter()
    found = fails(tmp_path, latpred.load_profile, text)
    assert time.perf_counter() - started < 5
    assert found.startswith("not YAML: ")
    assert message in found
    assert len(found) < 300


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(10**11)
    with pytest.raises(latpred.DataError, match="is larger than 2 MB"):
        latpred.load_profile(path)


def test_byte_order_marks(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + changed(V100, name="mine").replace("\n", "\r\n").encode())
    assert latpred.load_profile(path).name == "mine"
    message = "is not a text file in UTF-8: see line 1"
    assert fails(tmp_path, latpred.load_profile, "name: mine".encode("utf-16")) == message
    assert fails(tmp_path, latpred.load_profile, b"pes: 1\nname: M\xfcller\n") == message.replace("1", "2")


def test_dates_are_text(tmp_path):
    assert read_yaml(written(tmp_path, "day: 2026-13-01\n")) == {"day": "2026-13-01"}


def written(tmp_path, text):
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return path


# --- the wheel


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def test_the_wheel_carries_its_data_and_works_outside_a_checkout(tmp_path):
    checkout = Path(__file__).parents[1]
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(checkout))
    (wheel,) = tmp_path.glob("latpred-*.whl")
    run(*pip, "install", "--no-deps", "--target", str(tmp_path / "site"), str(wheel))
    names = {path.name for path in (tmp_path / "site" / "latpred").rglob("*.yaml")}
    assert names == {
        path.name for folder in ("hardware", "workloads/zoo") for path in data_folder(folder).rglob("*.yaml")
    }
    assert (tmp_path / "site" / "latpred" / "py.typed").is_file()
    program = "import sys; sys.path.insert(0, sys.argv[1]); import latpred; print(latpred.__file__); "
    program += "print(latpred.list_profiles(), latpred.list_networks(), latpred.load_block('r50-stage1').name)"
    printed = run(sys.executable, "-I", "-c", program, str(tmp_path / "site"), cwd=tmp_path)
    assert Path(printed.splitlines()[0]).parent == tmp_path / "site" / "latpred"
    assert printed.splitlines()[1] == f"{latpred.list_profiles()} {latpred.list_networks()} resnet50-stage1"
