"""What runs inside the two containers of a run. Standard library only; nothing here is imported by the worker."""
