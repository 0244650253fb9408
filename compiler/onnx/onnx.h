/* onnx.h - ONNX files in and out.
 *
 * This room calls base, ir, io and ops. */
#ifndef NNCC_ONNX_ONNX_H
#define NNCC_ONNX_ONNX_H

#include "ir/ir.h"

/* Errors are collected, then stop. `path` is the file's, whose folder may hold contents of tensors; "-": there is none.
 */
void import_onnx(Module *, const char *path, const void *bytes, size_t n);
bool onnx_scan(const void *bytes, size_t n, char error[200]); /* onnx/scan.c: bounds before unpack */
void export_onnx(Module *, Str *bytes);                       /* onnx/export.c */

#endif
