"""The ``mmv`` command."""

from mmvsolvers.cli.app import main

__all__ = ["main"]
