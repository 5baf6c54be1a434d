/* The boundaries of all masks of a label map, from its runs. Definition: metrics/boundary.py `boundary`. */

#include "kernels.h"

typedef struct {
    const int32_t *start;
    const uint16_t *value;
    const uint16_t *group;
    List *points; /* of each mask, 1 .. count */
} Maps;

static int mark(Maps *m, unsigned mask, int32_t at)
{
    return !mask || push(&m->points[mask], at);
}

/* A 2x2 block of masks at a position: it is boundary of each mask in it, unless all four are the same. */
static int mark_block(Maps *m, unsigned a, unsigned b, unsigned c, unsigned d, int32_t at)
{
    if (a == b && a == c && a == d)
        return 1;
    return mark(m, a, at) && (b == a || mark(m, b, at)) && (c == a || c == b || mark(m, c, at)) &&
           (d == a || d == b || d == c || mark(m, d, at));
}

/* A line and the one below it, by runs: [r, end) and [q, below) of them. Beyond the edges the edge again. */
static int mark_line(Maps *m, Py_ssize_t r, Py_ssize_t end, Py_ssize_t q, Py_ssize_t below, int32_t line,
                     int32_t shift, int32_t width)
{
    int32_t at = line, stop = line + width;
    while (at < stop) {
        int32_t next_r = r + 1 < end ? m->start[r + 1] : stop, next_q = q + 1 < below ? m->start[q + 1] - shift : stop;
        int32_t next = next_r < next_q ? next_r : next_q;
        unsigned a = m->group[m->value[r]], c = m->group[m->value[q]];
        for (; a != c && at < next - 1; at++)
            if (!mark(m, a, at) || !mark(m, c, at))
                return 0;
        r += next == next_r && next < stop;
        q += next == next_q && next < stop;
        if (!mark_block(m, a, m->group[m->value[r]], c, m->group[m->value[q]], next - 1))
            return 0;
        at = next;
    }
    return 1;
}

static int mark_all(Maps *m, Py_ssize_t n, int32_t height, int32_t width)
{
    Py_ssize_t line = 0, below, after;
    for (int32_t y = 0; y < height; y++, line = below) {
        for (below = line; below < n && m->start[below] < (y + 1) * width; below++)
            ;
        for (after = below; after < n && m->start[after] < (y + 2) * width; after++)
            ;
        int last = y == height - 1;
        if (!mark_line(m, line, below, last ? line : below, last ? below : after, y * width, last ? 0 : width, width))
            return 0;
    }
    return 1;
}

/* The points of all masks, one mask after the other, and where each ends. */
static PyObject *joined(const Maps *m, int count)
{
    Py_ssize_t total = 0;
    for (int mask = 1; mask <= count; mask++)
        total += m->points[mask].n;
    PyObject *ends = PyBytes_FromStringAndSize(NULL, 4 * (count + 1)), *points = PyBytes_FromStringAndSize(NULL, 4 * total);
    PyObject *result = ends && points ? PyTuple_Pack(2, ends, points) : NULL;
    if (result) {
        int32_t *end = (int32_t *)PyBytes_AsString(ends), *out = (int32_t *)PyBytes_AsString(points);
        end[0] = 0;
        for (int mask = 1; mask <= count; mask++) {
            const List *own = &m->points[mask];
            if (own->n)
                memcpy(out + end[mask - 1], own->at, 4 * own->n);
            end[mask] = end[mask - 1] + (int32_t)own->n;
        }
    }
    Py_XDECREF(ends);
    Py_XDECREF(points);
    return result;
}

PyObject *boundaries(PyObject *self, PyObject *args)
{
    Py_buffer starts, values, groups;
    int count, height, width;
    if (!PyArg_ParseTuple(args, "y*y*y*iii", &starts, &values, &groups, &count, &height, &width))
        return NULL;
    Maps m = {starts.buf, values.buf, groups.buf, count < 0 ? NULL : calloc(count + 1, sizeof(List))};
    PyObject *result = NULL;
    int ok = m.points && starts.len && starts.len == 2 * values.len && height > 0 && width > 0 &&
             groups.len > 2 * (Py_ssize_t)highest(&values) && highest(&groups) <= (unsigned)count;
    Py_BEGIN_ALLOW_THREADS
    ok = ok && mark_all(&m, starts.len / 4, height, width);
    Py_END_ALLOW_THREADS
    if (ok)
        result = joined(&m, count);
    if (!result && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "boundaries: no memory, no runs, or not a group for each id");
    for (int mask = 0; m.points && mask <= count; mask++)
        free(m.points[mask].at);
    free(m.points);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&values);
    PyBuffer_Release(&groups);
    return result;
}
