"""What an experiment file may say, for people: every key, and the options of every part that it can name."""
