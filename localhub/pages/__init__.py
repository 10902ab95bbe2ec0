"""Pages to look at: an issue's thread, a pull request with its diff and checks, the files."""
