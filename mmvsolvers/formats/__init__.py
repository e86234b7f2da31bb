"""One module a format, each with the same three functions.

``contents(path)`` says in words what a file holds, by name; ``read(path, name)`` returns one numeric array and reads
nothing else, or raises KeyError where there is none of that name and TypeError where it is no numeric array;
``save(stream, arrays)`` writes numeric arrays.
"""
