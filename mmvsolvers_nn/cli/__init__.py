"""The commands of ``mmv`` that need learned schemes; they are found as entry points."""
