"""Adaptive attackers: they know the guard and search for a payload that it lets pass.

What counts as success is stated in :mod:`.constraint`, what each attacker knows in
:mod:`.methods`, how much he may try in :class:`.search.Budget`.  A figure speaks of the attacks
that were run and of no others: a stronger attacker may find more.
"""
