"""``python -m mmvsolvers``, the same as ``mmv``."""

from mmvsolvers.cli import main

if __name__ == "__main__":
    main(prog_name="mmv")
