"""Eyes: dry run, live progress, summary, drawings. A plugin shelf."""
