/* How many points have one of others within a radius. Definition: metrics/boundary.py `_matched`. */

#include "kernels.h"

/* A bit for each pixel of the box around some points, with room for windows that reach beyond its sides; and the
   union of each band of `height` lines, by which points far from all are turned away. */
typedef struct {
    uint8_t *bits, *bands;
    Py_ssize_t stride;
    int32_t top, bottom, left, right, margin, height;
} Box;

/* The line of a position, and its first position; it moves down with ascending positions, without dividing. */
typedef struct {
    int32_t y, line, width;
} Place;

static inline int32_t column(Place *place, int32_t at)
{
    for (; at >= place->line + place->width; place->line += place->width)
        place->y++;
    return at - place->line;
}

static void set(uint8_t *line, int32_t x)
{
    line[x / 8] |= 1u << (x % 8);
}

static int draw(Box *box, const int32_t *at, Py_ssize_t n, int32_t width, int32_t radius)
{
    Place place = {at[0] / width, at[0] - at[0] % width, width};
    *box = (Box){NULL, NULL, 0, at[0] / width, at[n - 1] / width, width, 0, 2 * radius, 2 * radius + 1};
    for (Py_ssize_t i = 0; i < n; i++) {
        int32_t x = column(&place, at[i]);
        box->left = x < box->left ? x : box->left;
        box->right = x > box->right ? x : box->right;
    }
    Py_ssize_t lines = box->bottom - box->top + 1;
    box->stride = (box->right - box->left + 1 + 2 * box->margin) / 8 + 1;
    if (!(box->bits = calloc(1, (lines + lines / box->height + 1) * box->stride + 8)))
        return 0;
    box->bands = box->bits + lines * box->stride;
    place = (Place){at[0] / width, at[0] - at[0] % width, width};
    for (Py_ssize_t i = 0; i < n; i++) {
        int32_t x = column(&place, at[i]) - box->left + box->margin, y = place.y - box->top;
        set(box->bits + y * box->stride, x);
        set(box->bands + y / box->height * box->stride, x);
    }
    return 1;
}

/* Whether any of `length` bits from `from` on is set: 57 of them are in any eight bytes, wherever they start. */
static int any(const uint8_t *line, int32_t from, int32_t length)
{
    for (; length > 0; from += 57, length -= 57) {
        uint64_t bits;
        memcpy(&bits, line + (from >> 3), 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        bits = __builtin_bswap64(bits);
#endif
        if (bits >> (from & 7) & ((1ull << (length < 57 ? length : 57)) - 1))
            return 1;
    }
    return 0;
}

static int any_in(const Box *box, int32_t y, int32_t from, int32_t length)
{
    return y >= 0 && y <= box->bottom - box->top && any(box->bits + y * box->stride, from, length);
}

/* Whether a set pixel lies within the radius of a place in the box: a window in each line, the nearest first. */
static int near(const Box *box, int32_t y, int32_t x, int32_t radius, const int32_t *half)
{
    int32_t lines = box->bottom - box->top + 1, low = box->margin - radius, found = 0;
    if (y < -radius || y >= lines + radius || x < low || x > box->right - box->left + box->margin + radius)
        return 0;
    if (any_in(box, y, x - radius, 2 * radius + 1))
        return 1;
    int32_t first = y > radius ? y - radius : 0, last = y + radius < lines ? y + radius : lines - 1;
    for (int32_t band = first / box->height; band <= last / box->height && !found; band++)
        found = any(box->bands + band * box->stride, x - radius, 2 * radius + 1);
    for (int32_t away = 1; found && away <= radius; away++) {
        int32_t from = x - half[away], length = 2 * half[away] + 1;
        if (any_in(box, y - away, from, length) || any_in(box, y + away, from, length))
            return 1;
    }
    return 0;
}

/* The first of some ascending positions that is not below a limit. */
static Py_ssize_t from(const int32_t *at, Py_ssize_t n, int64_t limit)
{
    Py_ssize_t low = 0;
    while (low < n) {
        Py_ssize_t middle = (low + n) / 2;
        if (at[middle] < limit)
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

/* How many of the points in the lines that are near enough have one of the others within the radius; -1: no memory. */
static long count_near(const Py_buffer *points, const Py_buffer *others, int32_t radius, int32_t width)
{
    const int32_t *at = points->buf, *other = others->buf;
    Py_ssize_t n = others->len / 4;
    int64_t top = other[0] / width - radius, bottom = other[n - 1] / width + radius;
    Py_ssize_t first = from(at, points->len / 4, top * width), last = from(at, points->len / 4, (bottom + 1) * width);
    if (first == last)
        return 0;
    Box box = {0};
    long count = -1;
    int32_t *half = malloc((radius + 1) * sizeof *half);
    if (half && draw(&box, other, n, width, radius)) {
        for (int32_t away = 0, reach = radius; away <= radius; half[away++] = reach)
            while ((int64_t)reach * reach + (int64_t)away * away > (int64_t)radius * radius)
                reach--;
        Place place = {at[first] / width, at[first] - at[first] % width, width};
        count = 0;
        for (Py_ssize_t i = first; i < last; i++) {
            int32_t x = column(&place, at[i]) - box.left + box.margin;
            count += near(&box, place.y - box.top, x, radius, half);
        }
    }
    free(half);
    free(box.bits);
    return count;
}

PyObject *matched(PyObject *self, PyObject *args)
{
    Py_buffer points, others;
    int radius, width;
    if (!PyArg_ParseTuple(args, "y*y*ii", &points, &others, &radius, &width))
        return NULL;
    long count;
    Py_BEGIN_ALLOW_THREADS
    count = others.len && radius >= 0 && width > 0 ? count_near(&points, &others, radius, width) : 0;
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&points);
    PyBuffer_Release(&others);
    return count < 0 ? PyErr_NoMemory() : PyLong_FromLong(count);
}
