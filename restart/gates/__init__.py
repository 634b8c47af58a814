"""Health questions: ask() makes a question, judge() reads the reply. Pure. A plugin shelf."""
