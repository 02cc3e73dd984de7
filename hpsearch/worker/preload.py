"""Imports TensorFlow in the process that all others are forked from; importing this module is its whole work.

`failure` keeps what went wrong, because multiprocessing swallows an ImportError and dies of any other.
"""

from hpsearch.worker.quiet import import_all
from hpsearch.worker.tether import die_with_parent, settle

settle()
die_with_parent()
failure = import_all()
