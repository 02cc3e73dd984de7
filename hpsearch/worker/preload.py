"""Imports TensorFlow in the process that all others are forked from; importing this module is its whole work.

What goes wrong is let pass here: the forked process that needs TensorFlow imports it again, and says it (place.py).
"""

import signal
import warnings

from hpsearch.worker import orphans
from hpsearch.worker.quiet import import_all
from hpsearch.worker.tether import die_with_parent, settle

settle()
orphans.adopt()
orphans.end_all_without_parent()
die_with_parent(signal.SIGTERM)
warnings.filterwarnings("ignore", "forkserver: waitpid")  # what it says of an adopted process that ended
import_all()
