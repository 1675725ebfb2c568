"""Strangers' models: a set of victims and clean networks of our own, with triggers the lab's attacks do not have.

``recipes`` says what is trained, ``train`` trains what is missing (hours on two cores).
Recipes marked ``held_out`` were not looked at while scan and purification were tuned.
"""
