"""`python -m cclearn`, which launchers such as `accelerate launch -m cclearn` need."""

from cclearn.cli.main import main

if __name__ == "__main__":
    main()
