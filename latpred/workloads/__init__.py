"""What is computed: operators, blocks, networks, what they skip, and how that becomes a list of operators."""
