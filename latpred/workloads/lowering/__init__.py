"""How a block becomes operators: a module per form."""
