"""The far side: trains one fit, and knows no tuner, tracker or command."""
