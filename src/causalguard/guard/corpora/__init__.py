"""Corpora: folders, JSONL and Parquet scored by a pool of workers, exactly one verdict a row.

``sources`` lists files, ``index`` cuts them into pieces and ``plan`` packs pieces into blocks;
``reading`` and ``scoring`` turn a block into an outcome on some machine; ``store`` keeps outcomes
as parts that appear whole or not at all; ``job`` puts them together and counts.  Only
``ray_pool`` knows Ray, and only ``sources`` and ``parquet`` know Arrow.
"""
