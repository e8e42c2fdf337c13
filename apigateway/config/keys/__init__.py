"""The catalogue: every key of the file, what may stand there and what it means. Defaults are the model's.

Reading, the JSON Schema and the table in the documents are all made from it.
"""
