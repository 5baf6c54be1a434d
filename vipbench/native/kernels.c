/* The kernels of vipbench: loops that NumPy cannot say without passing over every pixel several times.

   Each does what its definition in Python says (see __init__.py) and is tested to be equal to it. Arrays come
   as contiguous buffers and leave as bytes, so that only the stable ABI of Python is needed. Positions are
   y * width + x. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define IDS 65536

typedef struct {
    int32_t *at;
    Py_ssize_t n, room;
} List;

static int push(List *list, int32_t value)
{
    if (list->n == list->room) {
        Py_ssize_t room = list->room ? 2 * list->room : 4096;
        int32_t *at = realloc(list->at, room * sizeof *at);
        if (!at)
            return 0;
        list->at = at;
        list->room = room;
    }
    list->at[list->n++] = value;
    return 1;
}

/* ---- PNG filters (PNG specification, section 9), one byte a pixel ------------------------------------- */

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

static PyObject *unfilter(PyObject *self, PyObject *args)
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
    for (y = 0; y < height; y++, in += width + 1, out += width)
        if (!unfilter_line(in[0], in + 1, y ? out - width : none, out, width))
            break;
    free(none);
    if (y == height)
        return pixels;
    Py_DECREF(pixels);
    return PyErr_Format(PyExc_ValueError, "unknown filter in line %zd", y);
}

/* ---- runs ----------------------------------------------------------------------------------------------- */

static unsigned value_of(const uint8_t *at, int itemsize)
{
    uint16_t wide;
    if (itemsize == 1)
        return *at;
    memcpy(&wide, at, 2);
    return wide;
}

/* How many of the bytes [from, to) equal those one item earlier, from the start on, in whole items. */
static Py_ssize_t same(const uint8_t *row, Py_ssize_t from, Py_ssize_t to, int itemsize)
{
    uint64_t here, before;
    while (from + 8 <= to) {
        memcpy(&here, row + from, 8);
        memcpy(&before, row + from - itemsize, 8);
        if (here != before)
            break;
        from += 8;
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

static PyObject *runs(PyObject *self, PyObject *args)
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
    int ok = seen && (itemsize == 1 || itemsize == 2) && ids.len == height * width * itemsize &&
             find_runs(ids.buf, itemsize, height, width, &starts, seen);
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

/* ---- joint histogram ------------------------------------------------------------------------------------ */

static unsigned highest(const Py_buffer *values)
{
    const uint16_t *at = values->buf;
    unsigned found = 0;
    for (Py_ssize_t i = 0; i < values->len / 2; i++)
        found = at[i] > found ? at[i] : found;
    return found;
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

static PyObject *joint(PyObject *self, PyObject *args)
{
    Py_buffer starts[2], values[2];
    int total;
    if (!PyArg_ParseTuple(args, "y*y*y*y*i", &starts[0], &values[0], &starts[1], &values[1], &total))
        return NULL;
    uint16_t *rank = malloc(2 * IDS * sizeof *rank);
    PyObject *result = NULL;
    if (rank && starts[0].len && starts[1].len) {
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

/* ---- boundaries ----------------------------------------------------------------------------------------- */

typedef struct {
    const int32_t *start;
    const uint16_t *value;
    const uint16_t *group;
    List points, masks;
} Maps;

static int mark(Maps *m, unsigned mask, int32_t at)
{
    return !mask || (push(&m->points, at) && push(&m->masks, mask));
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

/* The points sorted by mask, in reading order within each. */
static PyObject *by_mask(const Maps *m, int count)
{
    Py_ssize_t n = m->points.n, i;
    PyObject *ends = PyBytes_FromStringAndSize(NULL, 4 * (count + 1)), *points = PyBytes_FromStringAndSize(NULL, 4 * n);
    PyObject *result = NULL;
    int32_t *next = calloc(count + 2, sizeof *next);
    if (ends && points && next) {
        int32_t *out = (int32_t *)PyBytes_AsString(points);
        for (i = 0; i < n; i++)
            next[m->masks.at[i] + 1]++;
        for (i = 1; i < count + 2; i++)
            next[i] += next[i - 1];
        memcpy(PyBytes_AsString(ends), next + 1, 4 * (count + 1));
        for (i = 0; i < n; i++)
            out[next[m->masks.at[i]]++] = m->points.at[i];
        result = PyTuple_Pack(2, ends, points);
    }
    free(next);
    Py_XDECREF(ends);
    Py_XDECREF(points);
    return result;
}

static PyObject *boundaries(PyObject *self, PyObject *args)
{
    Py_buffer starts, values, groups;
    int count, height, width;
    if (!PyArg_ParseTuple(args, "y*y*y*iii", &starts, &values, &groups, &count, &height, &width))
        return NULL;
    Maps m = {starts.buf, values.buf, groups.buf, {0}, {0}};
    PyObject *result = NULL;
    if (starts.len && groups.len > 2 * (Py_ssize_t)highest(&values) && mark_all(&m, starts.len / 4, height, width))
        result = by_mask(&m, count);
    if (!result && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "boundaries: no memory, no runs, or not a group for each id");
    free(m.points.at);
    free(m.masks.at);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&values);
    PyBuffer_Release(&groups);
    return result;
}

/* ---- matching ------------------------------------------------------------------------------------------- */

/* A bit for each pixel of the box around some points, with room for windows that reach beyond its sides; and the
   union of each band of `height` lines, by which points far from all are turned away. */
typedef struct {
    uint64_t *bits, *bands;
    Py_ssize_t words;
    int32_t top, bottom, left, right, margin, height;
} Box;

static void set(uint64_t *line, int32_t x)
{
    line[x / 64] |= 1ull << (x % 64);
}

static int draw(Box *box, const int32_t *at, Py_ssize_t n, int32_t width, int32_t radius)
{
    *box = (Box){NULL, NULL, 0, at[0] / width, at[n - 1] / width, width, 0, 2 * radius, 2 * radius + 1};
    for (Py_ssize_t i = 0; i < n; i++) {
        int32_t x = at[i] % width;
        box->left = x < box->left ? x : box->left;
        box->right = x > box->right ? x : box->right;
    }
    Py_ssize_t lines = box->bottom - box->top + 1;
    box->words = (box->right - box->left + 1 + 2 * box->margin) / 64 + 2;
    if (!(box->bits = calloc((lines + lines / box->height + 1) * box->words, 8)))
        return 0;
    box->bands = box->bits + lines * box->words;
    for (Py_ssize_t i = 0; i < n; i++) {
        int32_t x = at[i] % width - box->left + box->margin, y = at[i] / width - box->top;
        set(box->bits + y * box->words, x);
        set(box->bands + y / box->height * box->words, x);
    }
    return 1;
}

/* Whether any of `length` bits from `from` on is set. */
static int any(const uint64_t *line, int32_t from, int32_t length)
{
    for (; length > 0; from += 64, length -= 64) {
        int32_t shift = from % 64;
        uint64_t bits = line[from / 64] >> shift;
        if (shift)
            bits |= line[from / 64 + 1] << (64 - shift);
        if (length < 64)
            bits &= (1ull << length) - 1;
        if (bits)
            return 1;
    }
    return 0;
}

/* Whether a set pixel lies within the radius of a place in the box: a window in each line, the nearest first. */
static int near(const Box *box, int32_t y, int32_t x, int32_t radius, const int32_t *half)
{
    int32_t lines = box->bottom - box->top + 1, first = y - radius, last = y + radius, found = 0;
    if (last < 0 || first >= lines || x < box->margin - radius || x > box->right - box->left + box->margin + radius)
        return 0;
    first = first < 0 ? 0 : first;
    last = last >= lines ? lines - 1 : last;
    for (int32_t band = first / box->height; band <= last / box->height && !found; band++)
        found = any(box->bands + band * box->words, x - radius, 2 * radius + 1);
    for (int32_t i = 0; found && i <= 2 * radius; i++) {
        int32_t away = (i + 1) / 2, line = i % 2 ? y - away : y + away;
        if (line >= first && line <= last && any(box->bits + line * box->words, x - half[away], 2 * half[away] + 1))
            return 1;
    }
    return 0;
}

static PyObject *matched(PyObject *self, PyObject *args)
{
    Py_buffer points, others;
    int radius, width;
    long count = -1;
    if (!PyArg_ParseTuple(args, "y*y*ii", &points, &others, &radius, &width))
        return NULL;
    const int32_t *at = points.buf;
    Box box = {0};
    int32_t *half = malloc((radius + 1) * sizeof *half);
    if (half && others.len && draw(&box, others.buf, others.len / 4, width, radius)) {
        for (int32_t away = 0, reach = radius; away <= radius; half[away++] = reach)
            while (reach * reach + away * away > radius * radius)
                reach--;
        count = 0;
        for (Py_ssize_t i = 0; i < points.len / 4; i++)
            count += near(&box, at[i] / width - box.top, at[i] % width - box.left + box.margin, radius, half);
    }
    free(half);
    free(box.bits);
    PyBuffer_Release(&points);
    PyBuffer_Release(&others);
    if (count < 0)
        return PyErr_Format(PyExc_ValueError, "matched: no memory, or no others");
    return PyLong_FromLong(count);
}

/* ---- module --------------------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {{"unfilter", unfilter, METH_VARARGS, NULL},
                                {"runs", runs, METH_VARARGS, NULL},
                                {"joint", joint, METH_VARARGS, NULL},
                                {"boundaries", boundaries, METH_VARARGS, NULL},
                                {"matched", matched, METH_VARARGS, NULL},
                                {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static PyModuleDef module = {PyModuleDef_HEAD_INIT, "_kernels", NULL, 0, methods, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernels(void)
{
    return PyModuleDef_Init(&module);
}
