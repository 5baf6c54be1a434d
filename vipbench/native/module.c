/* The module vipbench.native._kernels: loops that NumPy cannot say without passing over every pixel several times.

   Each does what its definition in Python says and is tested to be equal to it. */

#include "kernels.h"

static PyMethodDef methods[] = {{"unfilter", unfilter, METH_VARARGS, NULL},
                                {"runs", runs, METH_VARARGS, NULL},
                                {"joint", joint, METH_VARARGS, NULL},
                                {"masks", masks, METH_VARARGS, NULL},
                                {"overlaps", overlaps, METH_VARARGS, NULL},
                                {"contours", contours, METH_VARARGS, NULL},
                                {"warp", warp, METH_VARARGS, NULL},
                                {"resize", resize, METH_VARARGS, NULL},
                                {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static PyModuleDef module = {PyModuleDef_HEAD_INIT, "_kernels", NULL, 0, methods, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernels(void)
{
    return PyModuleDef_Init(&module);
}
