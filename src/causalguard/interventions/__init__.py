"""Interventions on tool outputs: do(D), do(I), do(N), and the files they are kept in.

``engine.generate`` makes matched sets by seed, ``triplets`` reads and writes them, ``carriers``
takes the user's own tool outputs, ``leaks`` checks a split, ``loaders`` reads public sets.
"""
