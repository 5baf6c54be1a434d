/* The boundaries of masks of two label maps, and how much of them agrees. Definition: metrics/boundary.py.

   A boundary is a bit map of the box around its mask, so that 64 pixels are handled at once. */

#include "kernels.h"

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
#define FAST __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define FAST
#endif

typedef struct {
    uint64_t *bits;           /* lines * words; column x is bit x % 64 of word x / 64 - left */
    int32_t top, lines, left, words;
    int32_t count;
} Contour;

/* One label map as runs, and its masks 1 .. count. */
typedef struct {
    Py_buffer starts, values, groups;
    int count;
    Contour *masks;
} Map;

static inline int32_t word_of(int32_t x)
{
    return x >= 0 ? x / 64 : -((63 - x) / 64);
}

static inline int32_t ones(uint64_t bits)
{
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    return (int32_t)(((bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56);
}

/* The columns from .. to - 1 of a line. */
static void set_range(Contour *mask, int32_t y, int32_t from, int32_t to)
{
    uint64_t *line = mask->bits + (Py_ssize_t)(y - mask->top) * mask->words;
    int32_t first = from / 64 - mask->left, last = (to - 1) / 64 - mask->left;
    uint64_t head = ~0ull << (from % 64), tail = ~0ull >> (63 - (to - 1) % 64);
    if (first == last) {
        line[first] |= head & tail;
        return;
    }
    line[first] |= head;
    for (int32_t i = first + 1; i < last; i++)
        line[i] = ~0ull;
    line[last] |= tail;
}

/* The box of each mask: one pixel up and to the left of it, and as many to each side as the radius reaches. */
static int make_room(Map *map, int32_t width, int32_t radius)
{
    const int32_t *start = map->starts.buf;
    const uint16_t *value = map->values.buf, *group = map->groups.buf;
    Py_ssize_t n = map->starts.len / 4;
    int32_t y = 0, line = 0;
    for (Py_ssize_t r = 0; r < n; r++) {
        for (; start[r] >= line + width; line += width)
            y++;
        Contour *mask = &map->masks[group[value[r]]];
        int32_t end = r + 1 < n && start[r + 1] < line + width ? start[r + 1] - line : width, x = start[r] - line;
        if (!mask->lines)
            *mask = (Contour){NULL, y, 1, x, end, 0};
        mask->lines = y - mask->top + 1;
        mask->left = x < mask->left ? x : mask->left;
        mask->words = end > mask->words ? end : mask->words;
    }
    for (int m = 1; m <= map->count; m++) {
        Contour *mask = &map->masks[m];
        if (!mask->lines)
            continue;
        mask->lines += mask->top > 0;
        mask->top -= mask->top > 0;
        int32_t right = mask->words + radius;
        mask->left = word_of(mask->left - 1 - radius);
        mask->words = word_of(right) - mask->left + 1;
        if (!(mask->bits = calloc(((size_t)mask->lines + 1) * mask->words + 1, 8)))
            return 0;
    }
    return 1;
}

/* A line of a mask, and the one below it, as the line of its boundary: where a 2x2 block is not uniform. The box
   leaves room on both sides, so what lies beyond the last word is the next line's, and empty. */
FAST static void outline(uint64_t *line, const uint64_t *below, int32_t words)
{
    for (int32_t i = 0; i < words; i++) {
        uint64_t right = line[i] >> 1 | line[i + 1] << 63, across = below[i] >> 1 | below[i + 1] << 63;
        line[i] = (line[i] | right | below[i] | across) & ~(line[i] & right & below[i] & across);
    }
}

FAST static int32_t count(const uint64_t *bits, Py_ssize_t n)
{
    int32_t found = 0;
    for (Py_ssize_t i = 0; i < n; i++)
        found += ones(bits[i]);
    return found;
}

/* The masks as bits, then their boundaries in place of them. */
static void draw(Map *map, int32_t height, int32_t width)
{
    const int32_t *start = map->starts.buf;
    const uint16_t *value = map->values.buf, *group = map->groups.buf;
    Py_ssize_t n = map->starts.len / 4;
    int32_t y = 0, line = 0;
    for (Py_ssize_t r = 0; r < n; r++) {
        for (; start[r] >= line + width; line += width)
            y++;
        unsigned m = group[value[r]];
        int32_t end = r + 1 < n && start[r + 1] < line + width ? start[r + 1] - line : width;
        if (m) /* beyond the right edge the edge again */
            set_range(&map->masks[m], y, start[r] - line, end + (end == width));
    }
    for (int m = 1; m <= map->count; m++) {
        Contour *mask = &map->masks[m];
        int32_t words = mask->words, before = -1 - mask->left, beyond = width / 64 - mask->left;
        uint64_t *bits = mask->bits;
        for (y = mask->top; y < mask->top + mask->lines; y++, bits += words) {
            outline(bits, y + 1 < height ? bits + words : bits, words);
            if (before >= 0) /* what is left and right of the image is no boundary */
                bits[before] = 0;
            if (beyond < words)
                bits[beyond] &= (1ull << (width % 64)) - 1;
        }
        mask->count = count(mask->bits, (Py_ssize_t)mask->lines * words);
    }
}

/* Every bit up to 0 < `step` < 64 to both sides as well, where all between are set: from `in` to `out`. The lines
   follow each other; the room at their ends keeps them apart. */
FAST static void spread(const uint64_t *in, uint64_t *out, Py_ssize_t words, int step)
{
    out[0] = in[0] | in[0] << step | in[0] >> step | (words > 1 ? in[1] << (64 - step) : 0);
    for (Py_ssize_t i = 1; i < words - 1; i++)
        out[i] = in[i] | in[i] << step | in[i - 1] >> (64 - step) | in[i] >> step | in[i + 1] << (64 - step);
    if (words > 1)
        out[words - 1] = in[words - 1] | in[words - 1] << step | in[words - 2] >> (64 - step) | in[words - 1] >> step;
}

FAST static void merge(uint64_t *into, const uint64_t *bits, const uint64_t *more, Py_ssize_t words)
{
    for (Py_ssize_t i = 0; i < words; i++)
        into[i] |= bits[i] | more[i];
}

/* Lines into those `away` above them and below. */
static void merge_both(uint64_t *middle, const uint64_t *bits, Py_ssize_t all, Py_ssize_t away)
{
    Py_ssize_t apart = 2 * away < all ? 2 * away : all;
    merge(middle - away, bits, bits, apart);
    merge(middle - away + apart, bits + apart, bits, all - apart);
    merge(middle + away + all - apart, bits + all - apart, bits + all - apart, apart);
}

/* A contour dilated by a disk: `radius` lines more above and below, to be freed; NULL without memory.

   From the disk's first line to its middle one the lines grow: each is spread from the one before. */
static uint64_t *dilated(const Contour *mask, int32_t radius)
{
    Py_ssize_t words = mask->words, all = mask->lines * words;
    uint64_t *disk = calloc(all + 2 * radius * words + 2 * all, 8), *spare = disk + all + 2 * radius * words;
    const uint64_t *line = mask->bits;
    int64_t reach = 0;
    for (int64_t away = radius; disk && away >= 0; away--) {
        int64_t half = reach;
        while ((half + 1) * (half + 1) + away * away <= (int64_t)radius * radius)
            half++;
        while (reach < half) {
            int64_t step = half - reach < 2 * reach + 1 ? half - reach : 2 * reach + 1;
            step = step < 63 ? step : 63;
            uint64_t *next = line == spare ? spare + all : spare;
            spread(line, next, all, (int)step);
            line = next;
            reach += step;
        }
        merge_both(disk + radius * words, line, all, away * words);
    }
    return disk;
}

/* A pair of masks, of each map one, and how many pixels of either's boundary have one of the other's near. */
typedef struct {
    int32_t mask[2], near[2];
} Match;

/* How many bits are in both of two blocks of lines, so many words from line to line. */
FAST static int32_t shared(const uint64_t *one, Py_ssize_t next_one, const uint64_t *other, Py_ssize_t next_other,
                           int32_t lines, int32_t words)
{
    int32_t found = 0;
    for (int32_t y = 0; y < lines; y++, one += next_one, other += next_other)
        for (int32_t i = 0; i < words; i++)
            found += ones(one[i] & other[i]);
    return found;
}

/* How many pixels of a contour are in another that is dilated. */
static int32_t near(const Contour *mask, const Contour *other, const uint64_t *disk, int32_t radius)
{
    int32_t down = mask->top - (other->top - radius), across = mask->left - other->left;
    int32_t y = down < 0 ? -down : 0, x = across < 0 ? -across : 0;
    int32_t lines = mask->lines, words = mask->words;
    lines = lines < other->lines + 2 * radius - down ? lines : other->lines + 2 * radius - down;
    words = words < other->words - across ? words : other->words - across;
    if (y >= lines || x >= words)
        return 0;
    return shared(mask->bits + (Py_ssize_t)y * mask->words + x, mask->words,
                  disk + (Py_ssize_t)(y + down) * other->words + x + across, other->words, lines - y, words - x);
}

static int parse(Map *map, int32_t height, int32_t width, int32_t radius)
{
    int ok = map->count >= 0 && map->starts.len && map->starts.len == 2 * map->values.len &&
             map->groups.len > 2 * (Py_ssize_t)highest(&map->values) && highest(&map->groups) <= (unsigned)map->count;
    map->masks = ok ? calloc(map->count + 1, sizeof(Contour)) : NULL;
    if (!map->masks || !make_room(map, width, radius))
        return 0;
    draw(map, height, width);
    return 1;
}

/* near[side] of all pairs: each mask is dilated once. */
static int match(Map *maps, int side, Match *pairs, Py_ssize_t n, int32_t radius)
{
    for (int own = 1; own <= maps[!side].count; own++) {
        const Contour *other = &maps[!side].masks[own];
        uint64_t *disk = other->count ? dilated(other, radius) : NULL;
        if (other->count && !disk)
            return 0;
        for (Py_ssize_t i = 0; other->count && i < n; i++)
            if (pairs[i].mask[!side] == own)
                pairs[i].near[side] = near(&maps[side].masks[pairs[i].mask[side]], other, disk, radius);
        free(disk);
    }
    return 1;
}

static PyObject *counted(const Map *maps, const Match *pairs, Py_ssize_t n)
{
    PyObject *result = PyBytes_FromStringAndSize(NULL, 16 * n);
    int32_t *out = result ? (int32_t *)PyBytes_AsString(result) : NULL;
    for (Py_ssize_t i = 0; out && i < n; i++)
        for (int side = 0; side < 2; side++) {
            *out++ = maps[side].masks[pairs[i].mask[side]].count;
            *out++ = pairs[i].near[side];
        }
    return result;
}

PyObject *contours(PyObject *self, PyObject *args)
{
    Map maps[2] = {0};
    Py_buffer wanted;
    int height, width, radius, ok = 1;
    if (!PyArg_ParseTuple(args, "y*y*y*iy*y*y*iy*iii", &maps[0].starts, &maps[0].values, &maps[0].groups,
                          &maps[0].count, &maps[1].starts, &maps[1].values, &maps[1].groups, &maps[1].count, &wanted,
                          &height, &width, &radius))
        return NULL;
    Py_ssize_t n = wanted.len / 4;
    const uint16_t *mask = wanted.buf;
    Match *pairs = calloc(n + 1, sizeof(Match));
    PyObject *result = NULL;
    for (Py_ssize_t i = 0; pairs && i < 2 * n; i++) {
        pairs[i / 2].mask[i % 2] = mask[i];
        ok = ok && mask[i] && mask[i] <= maps[i % 2].count;
    }
    Py_BEGIN_ALLOW_THREADS
    ok = ok && pairs && height > 0 && width > 0 && radius >= 0 && parse(&maps[0], height, width, radius) &&
         parse(&maps[1], height, width, radius) && match(maps, 0, pairs, n, radius) &&
         match(maps, 1, pairs, n, radius);
    Py_END_ALLOW_THREADS
    if (ok)
        result = counted(maps, pairs, n);
    if (!result && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "contours: no memory, no runs, or not a mask for each id and pair");
    for (int side = 0; side < 2; side++) {
        for (int m = 1; maps[side].masks && m <= maps[side].count; m++)
            free(maps[side].masks[m].bits);
        free(maps[side].masks);
        PyBuffer_Release(&maps[side].starts);
        PyBuffer_Release(&maps[side].values);
        PyBuffer_Release(&maps[side].groups);
    }
    free(pairs);
    PyBuffer_Release(&wanted);
    return result;
}
