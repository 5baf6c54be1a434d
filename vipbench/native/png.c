/* PNG filters undone (PNG specification, section 9), one byte a pixel. Definition: vipbench/png.py. */

#include "kernels.h"

static uint8_t paeth(int left, int up, int corner)
{
    int a = abs(up - corner), b = abs(left - corner), c = abs(left + up - 2 * corner);
    return a <= b && a <= c ? left : b <= c ? up : corner;
}

static int unfilter_line(int filter, const uint8_t *in, const uint8_t *above, uint8_t *out, Py_ssize_t width)
{
    uint8_t left = 0, corner = 0;
    Py_ssize_t x;
    switch (filter) {
    case 0:
        memcpy(out, in, width);
        return 1;
    case 1:
        for (x = 0; x < width; x++)
            out[x] = left = in[x] + left;
        return 1;
    case 2:
        for (x = 0; x < width; x++)
            out[x] = in[x] + above[x];
        return 1;
    case 3:
        for (x = 0; x < width; x++)
            out[x] = left = in[x] + ((left + above[x]) >> 1);
        return 1;
    case 4:
        for (x = 0; x < width; x++) {
            out[x] = left = in[x] + paeth(left, above[x], corner);
            corner = above[x];
        }
        return 1;
    }
    return 0;
}

PyObject *unfilter(PyObject *self, PyObject *args)
{
    const uint8_t *in;
    Py_ssize_t length, height, width, y;
    if (!PyArg_ParseTuple(args, "y#nn", &in, &length, &height, &width))
        return NULL;
    if (height < 1 || width < 1 || length / height != width + 1 || length % height)
        return PyErr_Format(PyExc_ValueError, "%zd bytes of scanlines for %zdx%zd", length, width, height);
    PyObject *pixels = PyBytes_FromStringAndSize(NULL, height * width);
    uint8_t *none = calloc(1, width);
    if (!pixels || !none) {
        free(none);
        Py_XDECREF(pixels);
        return PyErr_NoMemory();
    }
    uint8_t *out = (uint8_t *)PyBytes_AsString(pixels);
    Py_BEGIN_ALLOW_THREADS
    for (y = 0; y < height; y++, in += width + 1, out += width)
        if (!unfilter_line(in[0], in + 1, y ? out - width : none, out, width))
            break;
    Py_END_ALLOW_THREADS
    free(none);
    if (y == height)
        return pixels;
    Py_DECREF(pixels);
    return PyErr_Format(PyExc_ValueError, "unknown filter in line %zd", y);
}
