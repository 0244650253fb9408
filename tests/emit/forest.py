"""Prints a text with a forest: forest.py TREES EXAMPLES BRANCHES, each tree a row of branches that fail to the next one."""
import sys

trees, examples, branches = map(int, sys.argv[1:])
size = 2 * branches + 1
nodes = [(t, i) for t in range(trees) for i in range(size)]  # branch i, then the leaf that it passes to; one leaf behind all
branch = [i % 2 == 0 and i < 2 * branches for _, i in nodes]
leaves = [k for k, is_branch in enumerate(branch) if not is_branch]
lists = {
    "nodes_treeids": [t for t, _ in nodes], "nodes_nodeids": [i for _, i in nodes],
    "nodes_featureids": [(i // 2) % 2 for _, i in nodes], "nodes_values": [(t + 7 * i % 11) / 16 - 1 for t, i in nodes],
    "nodes_modes": "[" + ", ".join("BRANCH_LEQ" if b else "LEAF" for b in branch) + "]",
    "nodes_truenodeids": [i + 1 if b else 0 for (_, i), b in zip(nodes, branch)],
    "nodes_falsenodeids": [i + 2 if b else 0 for (_, i), b in zip(nodes, branch)],
    "target_treeids": [nodes[k][0] for k in leaves], "target_nodeids": [nodes[k][1] for k in leaves],
    "target_ids": [0 for _ in leaves], "target_weights": [1 + k % 13 / 8 for k in leaves],
}
print(f"network @forest(%x: f32[{examples}, 2]) {{")
print(f"  %y = ai.onnx.ml.TreeEnsembleRegressor(%x) {{{', '.join(f'{k} = {v}' for k, v in lists.items())}}}")
print("  return %y\n}")
