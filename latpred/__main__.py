"""`python -m latpred`."""

from latpred.cli import main

if __name__ == "__main__":
    main()
