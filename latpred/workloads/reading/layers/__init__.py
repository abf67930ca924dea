"""What the nodes of a graph are: axes and maps, functions of several steps, layers, and what each computes."""
