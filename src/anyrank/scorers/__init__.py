"""The built-in scorers, one file each: the file's name is the scorer's public name.

Every file has a ``scorer``, which `anyrank.load` calls with the argument and options of a spec. To add one, add a
file; nothing else is to be edited.
"""
