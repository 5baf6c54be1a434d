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

/* Compiled for wider vectors too; the processor's own are taken when the module is loaded. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
#define CLONES
#define FAST __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define FAST
#endif

/* A mask in the bits of its lines: column x is bit x % 64 of word x / 64. The box around it, bottom and right
   exclusive; an empty one is inside out. */
typedef struct {
    uint64_t *bits;
    int32_t top, bottom, left, right, area;
} Mask;

/* Masks 1 .. count of a label map, each of height * words words: beyond a line there is room for a column. */
typedef struct {
    int32_t count, height, width, words;
    Mask *mask;
    uint64_t *bits;
} Masks;

/* What `masks` has made; NULL, and an exception, for anything else. */
const Masks *masks_of(PyObject *capsule);

/* Whether the maps are of the same size and pairs are uint16 [P, 2] of their masks; else with an exception. */
static inline int paired(const Masks *gt, const Masks *pred, const Py_buffer *pairs)
{
    const uint16_t *mask = pairs->buf;
    int ok = gt->height == pred->height && gt->width == pred->width && pairs->len % 4 == 0;
    for (Py_ssize_t i = 0; ok && i < pairs->len / 2; i++)
        ok = mask[i] && mask[i] <= (i % 2 ? pred : gt)->count;
    if (!ok)
        PyErr_SetString(PyExc_ValueError, "pairs: maps of different sizes, or no such mask");
    return ok;
}

static inline int32_t ones(uint64_t bits)
{
#if defined(__GNUC__)
    return __builtin_popcountll(bits);
#else
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    return (int32_t)(((bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56);
#endif
}

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
PyObject *masks(PyObject *self, PyObject *args);
PyObject *overlaps(PyObject *self, PyObject *args);
PyObject *contours(PyObject *self, PyObject *args);
PyObject *warp(PyObject *self, PyObject *args);
PyObject *resize(PyObject *self, PyObject *args);

#endif
