/* What the sources of the kernels share. Only the stable ABI of Python is used.

   Arrays come as contiguous buffers and leave as bytes. Positions are y * width + x. */

#ifndef VIPBENCH_KERNELS_H
#define VIPBENCH_KERNELS_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define IDS 65536

/* The highest of some ids. */
static inline unsigned highest(const Py_buffer *values)
{
    const uint16_t *at = values->buf;
    unsigned found = 0;
    for (Py_ssize_t i = 0; i < values->len / 2; i++)
        found = at[i] > found ? at[i] : found;
    return found;
}

PyObject *unfilter(PyObject *self, PyObject *args);
PyObject *runs(PyObject *self, PyObject *args);
PyObject *joint(PyObject *self, PyObject *args);
PyObject *contours(PyObject *self, PyObject *args);
PyObject *warp(PyObject *self, PyObject *args);

#endif
