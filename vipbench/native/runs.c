/* The runs of a label map, and the joint histogram of two. Definitions: vipbench/runs.py. */

#include "kernels.h"

static unsigned value_of(const uint8_t *at, int itemsize)
{
    uint16_t wide;
    if (itemsize == 1)
        return *at;
    memcpy(&wide, at, 2);
    return wide;
}

/* Where the bytes from `from` on first differ from those one item earlier, at most `to`: the start of an item. */
static Py_ssize_t same(const uint8_t *row, Py_ssize_t from, Py_ssize_t to, int itemsize)
{
    uint64_t here, before;
    for (; from + 8 <= to; from += 8) {
        memcpy(&here, row + from, 8);
        memcpy(&before, row + from - itemsize, 8);
        if (here != before) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            return (from + __builtin_ctzll(here ^ before) / 8) / itemsize * itemsize;
#endif
            break;
        }
    }
    while (from < to && value_of(row + from, itemsize) == value_of(row + from - itemsize, itemsize))
        from += itemsize;
    return from;
}

static int find_runs(const uint8_t *ids, int itemsize, Py_ssize_t height, Py_ssize_t width, List *starts,
                     uint8_t *seen)
{
    Py_ssize_t bytes = width * itemsize, at, y;
    for (y = 0; y < height; y++, ids += bytes)
        for (at = 0; at < bytes; at = same(ids, at + itemsize, bytes, itemsize)) {
            seen[value_of(ids + at, itemsize)] = 1;
            if (!push(starts, (int32_t)(y * width + at / itemsize)))
                return 0;
        }
    return 1;
}

PyObject *runs(PyObject *self, PyObject *args)
{
    Py_buffer ids;
    Py_ssize_t height, width, i;
    int itemsize;
    if (!PyArg_ParseTuple(args, "y*inn", &ids, &itemsize, &height, &width))
        return NULL;
    List starts = {0};
    Py_ssize_t distinct = 0;
    uint8_t *seen = calloc(1, IDS);
    uint16_t *values = NULL;
    PyObject *result = NULL;
    int ok = seen && (itemsize == 1 || itemsize == 2) && height > 0 && width > 0 &&
             ids.len / itemsize / width == height && ids.len % (itemsize * width) == 0 && height <= INT32_MAX / width;
    Py_BEGIN_ALLOW_THREADS
    ok = ok && find_runs(ids.buf, itemsize, height, width, &starts, seen);
    Py_END_ALLOW_THREADS
    if (ok && (values = malloc((starts.n + 1) * 2 + 2 * IDS))) {
        uint16_t *present = values + starts.n;
        for (i = 0; i < starts.n; i++)
            values[i] = value_of((uint8_t *)ids.buf + (Py_ssize_t)starts.at[i] * itemsize, itemsize);
        for (i = 0; i < (itemsize == 1 ? 256 : IDS); i++)
            if (seen[i])
                present[distinct++] = i;
        result = Py_BuildValue("(y#y#y#)", starts.at, 4 * starts.n, values, 2 * starts.n, present, 2 * distinct);
    } else
        PyErr_SetString(PyExc_ValueError, "runs: no memory, or ids of another type or size");
    free(values);
    free(seen);
    free(starts.at);
    PyBuffer_Release(&ids);
    return result;
}

/* The rank of each id among those of the values: uint16 [65536], and how many there are. */
static Py_ssize_t ranks(const Py_buffer *values, uint16_t *rank)
{
    const uint16_t *at = values->buf;
    Py_ssize_t n = values->len / 2, top = highest(values), i, found = 0;
    memset(rank, 0, (top + 1) * sizeof *rank);
    for (i = 0; i < n; i++)
        rank[at[i]] = 1;
    for (i = 0; i <= top; i++)
        if (rank[i])
            rank[i] = found++;
    return found;
}

static void count_pairs(const Py_buffer *starts, const Py_buffer *values, const uint16_t *const rank[2],
                        Py_ssize_t columns, int32_t total, int64_t *counts)
{
    const int32_t *start[2] = {starts[0].buf, starts[1].buf};
    const uint16_t *value[2] = {values[0].buf, values[1].buf};
    Py_ssize_t n[2] = {starts[0].len / 4, starts[1].len / 4}, g = 0, p = 0;
    int32_t at = 0;
    while (at < total) {
        int32_t end_g = g + 1 < n[0] ? start[0][g + 1] : total, end_p = p + 1 < n[1] ? start[1][p + 1] : total;
        int32_t end = end_g < end_p ? end_g : end_p;
        counts[rank[0][value[0][g]] * columns + rank[1][value[1][p]]] += end - at;
        g += end == end_g;
        p += end == end_p;
        at = end;
    }
}

PyObject *joint(PyObject *self, PyObject *args)
{
    Py_buffer starts[2], values[2];
    int total;
    if (!PyArg_ParseTuple(args, "y*y*y*y*i", &starts[0], &values[0], &starts[1], &values[1], &total))
        return NULL;
    uint16_t *rank = malloc(2 * IDS * sizeof *rank);
    PyObject *result = NULL;
    if (rank && starts[0].len && starts[1].len && starts[0].len == 2 * values[0].len &&
        starts[1].len == 2 * values[1].len) {
        Py_ssize_t rows = ranks(&values[0], rank), columns = ranks(&values[1], rank + IDS);
        if ((result = PyBytes_FromStringAndSize(NULL, rows * columns * 8))) {
            int64_t *counts = (int64_t *)PyBytes_AsString(result);
            memset(counts, 0, rows * columns * 8);
            count_pairs(starts, values, (const uint16_t *const[]){rank, rank + IDS}, columns, total, counts);
        }
    } else
        PyErr_SetString(PyExc_ValueError, "joint: no memory, or no runs");
    free(rank);
    for (int i = 0; i < 2; i++) {
        PyBuffer_Release(&starts[i]);
        PyBuffer_Release(&values[i]);
    }
    return result;
}
