"""The trackers: parts that listen to a study's story and show or keep it."""
