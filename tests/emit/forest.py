"""Prints a text with a forest of as many stumps as asked for."""
import sys

n = int(sys.argv[1])
lists = {
    "nodes_treeids": [t for t in range(n) for _ in range(3)], "nodes_nodeids": [0, 1, 2] * n, "nodes_featureids": [0, 1, 1] * n,
    "nodes_modes": "[" + ", ".join(["BRANCH_LEQ, LEAF, LEAF"] * n) + "]", "nodes_values": [t / 16 for t in range(n) for _ in range(3)],
    "nodes_truenodeids": [1, 0, 0] * n, "nodes_falsenodeids": [2, 0, 0] * n, "target_treeids": [t for t in range(n) for _ in range(2)],
    "target_nodeids": [1, 2] * n, "target_ids": [0, 0] * n, "target_weights": [1, 0.5] * n,
}
print("network @forest(%x: f32[5, 2]) {")
print(f"  %y = ai.onnx.ml.TreeEnsembleRegressor(%x) {{{', '.join(f'{k} = {v}' for k, v in lists.items())}}}")
print("  return %y\n}")
