/* The boundaries of masks of two label maps, and how much of them agrees. Definition: metrics/boundary.py.

   A boundary is a bit map of the box around its mask, so that 64 pixels are handled at once. */

#include "kernels.h"

#if defined(_MSC_VER)
#define restrict __restrict
#endif

/* No disk is larger: from its second line on, none has so many pixels more than the last that it takes two steps. */
#define FAR 255

/* Column x is bit x % 64 of word x / 64 - left. Around the boundary there is room: at the sides for the radius,
   above and below for twice as much. */
typedef struct {
    uint64_t *room, *bits;    /* of the first line of all, and of the boundary's first */
    int32_t top, lines, left, words;
    int32_t count;
} Contour;

static inline int32_t word_of(int32_t x)
{
    return x >= 0 ? x / 64 : -((63 - x) / 64);
}

/* A line of a mask, and the one below it, to a line of its boundary: where a 2x2 block is not uniform. */
FAST static void outline(const uint64_t *line, const uint64_t *below, uint64_t *out, int32_t words)
{
    for (int32_t i = 0; i < words; i++) {
        uint64_t right = line[i] >> 1 | line[i + 1] << 63, across = below[i] >> 1 | below[i + 1] << 63;
        out[i] = (line[i] | right | below[i] | across) & ~(line[i] & right & below[i] & across);
    }
}

FAST static int32_t count(const uint64_t *bits, Py_ssize_t n)
{
    int32_t found = 0;
    for (Py_ssize_t i = 0; i < n; i++)
        found += ones(bits[i]);
    return found;
}

/* The boundary of a mask; nothing for an empty one. 0 without memory. */
static int draw(Contour *contour, const Mask *mask, const Masks *of, int32_t radius)
{
    if (mask->top >= mask->bottom)
        return 1;
    /* It begins one pixel up and to the left of the mask, where there is one. */
    int32_t top = mask->top - (mask->top > 0), left = mask->left - (mask->left > 0);
    int32_t first = left / 64, words = (mask->right - 1) / 64 - first + 1;
    contour->top = top;
    contour->lines = mask->bottom - top;
    contour->left = word_of(left - radius);
    contour->words = word_of(mask->right - 1 + radius) - contour->left + 1;
    if (!(contour->room = calloc(((size_t)contour->lines + 4 * radius) * contour->words, 8)))
        return 0;
    contour->bits = contour->room + (Py_ssize_t)2 * radius * contour->words;
    uint64_t *out = contour->bits + (first - contour->left);
    int32_t last = (of->width - 1) / 64 - first;
    uint64_t edge = mask->right == of->width ? 1ull << ((of->width - 1) % 64) : 0;
    for (int32_t y = top; y < mask->bottom; y++, out += contour->words) {
        const uint64_t *line = mask->bits + (Py_ssize_t)y * of->words + first;
        const uint64_t *below = y + 1 < of->height ? line + of->words : line;
        outline(line, below, out, words);
        if (edge) /* beyond it the edge again */
            out[last] = (out[last] & ~edge) | ((line[last] ^ below[last]) & edge);
    }
    contour->count = count(contour->bits, (Py_ssize_t)contour->lines * contour->words);
    return 1;
}

/* Every bit up to 0 < `step` < 64 to both sides as well, where all between are set: from `in` to `out`. The lines
   follow each other; the room at their ends keeps them apart. */
FAST static void spread(const uint64_t *in, uint64_t *out, Py_ssize_t words, int step)
{
    for (Py_ssize_t i = 0; i < words; i++)
        out[i] = in[i] | in[i] << step | in[i - 1] >> (64 - step) | in[i] >> step | in[i + 1] << (64 - step);
}

/* The bits of any of four, where there were none, and beside those there were. */
FAST static void join(uint64_t *restrict into, const uint64_t *a, const uint64_t *b, const uint64_t *c,
                      const uint64_t *d, Py_ssize_t words)
{
    for (Py_ssize_t i = 0; i < words; i++)
        into[i] = a[i] | b[i] | c[i] | d[i];
}

FAST static void merge(uint64_t *restrict into, const uint64_t *a, const uint64_t *b, const uint64_t *c,
                       const uint64_t *d, Py_ssize_t words)
{
    for (Py_ssize_t i = 0; i < words; i++)
        into[i] |= a[i] | b[i] | c[i] | d[i];
}

/* A disk's lines, which grow from its first to its middle one: what a contour is spread to in turn. */
typedef struct {
    const Contour *contour;
    int32_t radius, reach;
    const uint64_t *line;     /* with the contour's room */
    uint64_t *spare[2];
} Disk;

/* The contour, spread as far as the disk's line has pixels that is so far from the middle. Takes the place of the
   line before the last. */
static const uint64_t *line_of(Disk *disk, int64_t away)
{
    int64_t half = disk->reach, radius = disk->radius;
    while ((half + 1) * (half + 1) + away * away <= radius * radius)
        half++;
    while (disk->reach < half) {
        Py_ssize_t words = disk->contour->words, room = 2 * radius * words;
        int step = half - disk->reach < 2 * disk->reach + 1 ? (int)half - disk->reach : 2 * disk->reach + 1;
        step = step < 63 ? step : 63;
        uint64_t *next = disk->spare[disk->line == disk->spare[0]];
        spread(disk->line + room, next + room, disk->contour->lines * words, step);
        disk->line = next;
        disk->reach += step;
    }
    return disk->line;
}

/* A contour dilated by a disk: `radius` lines more above and below. To be freed; NULL without memory. */
static uint64_t *dilated(const Contour *contour, int32_t radius)
{
    Py_ssize_t words = contour->words, room = 2 * radius * words, all = contour->lines * words + 2 * room;
    uint64_t *found = malloc(3 * all * 8), *spare = found + all;
    Disk disk = {contour, radius, 0, contour->room, {spare, spare + all}};
    if (!found)
        return NULL;
    for (int i = 0; i < 2; i++) {
        memset(disk.spare[i], 0, room * 8);
        memset(disk.spare[i] + all - room, 0, room * 8);
    }
    for (int64_t away = radius; away >= 0; away -= 2) { /* two of the disk's lines, above and below */
        const uint64_t *line = line_of(&disk, away) + radius * words;
        const uint64_t *next = away ? line_of(&disk, away - 1) + radius * words : line;
        Py_ssize_t far = away * words, near = away ? far - words : 0;
        (away == radius ? join : merge)(found, line - far, line + far, next - near, next + near, all - room);
    }
    return found;
}

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
static int32_t near(const Contour *contour, const Contour *other, const uint64_t *disk, int32_t radius)
{
    int32_t down = contour->top - (other->top - radius), across = contour->left - other->left;
    int32_t y = down < 0 ? -down : 0, x = across < 0 ? -across : 0;
    int32_t lines = contour->lines, words = contour->words, reach = other->lines + 2 * radius - down;
    lines = lines < reach ? lines : reach;
    words = words < other->words - across ? words : other->words - across;
    if (y >= lines || x >= words)
        return 0;
    return shared(contour->bits + (Py_ssize_t)y * contour->words + x, contour->words,
                  disk + (Py_ssize_t)(y + down) * other->words + x + across, other->words, lines - y, words - x);
}

/* For each pair of masks: pixels of the boundary, and those near the other's, of ground truth and of prediction. */
typedef int32_t Counts[4];

/* How many pixels of the one side's contours are near those of the other: each of these is dilated once. */
static int match(Contour *const contours[2], int count, int side, const uint16_t *pairs, Counts *out, Py_ssize_t n,
                 int32_t radius)
{
    for (int own = 1; own <= count; own++) {
        const Contour *other = &contours[!side][own];
        if (!other->count)
            continue;
        uint64_t *disk = dilated(other, radius);
        if (!disk)
            return 0;
        for (Py_ssize_t i = 0; i < n; i++) {
            const Contour *contour = &contours[side][pairs[2 * i + side]];
            if (pairs[2 * i + !side] == own && contour->count)
                out[i][2 * side + 1] = near(contour, other, disk, radius);
        }
        free(disk);
    }
    return 1;
}

static int compare(const Masks *const of[2], Contour *const contours[2], const uint16_t *pairs, Counts *out,
                   Py_ssize_t n, int32_t radius)
{
    for (int side = 0; side < 2; side++)
        for (int m = 1; m <= of[side]->count; m++)
            if (!draw(&contours[side][m], &of[side]->mask[m], of[side], radius))
                return 0;
    for (Py_ssize_t i = 0; i < 2 * n; i++) {
        out[i / 2][i % 2 * 2] = contours[i % 2][pairs[i]].count;
        out[i / 2][i % 2 * 2 + 1] = 0;
    }
    return match(contours, of[1]->count, 0, pairs, out, n, radius) &&
           match(contours, of[0]->count, 1, pairs, out, n, radius);
}

static Contour *all(const Masks *of)
{
    return calloc((size_t)of->count + 1, sizeof(Contour));
}

static void release(Contour *contours, const Masks *of)
{
    for (int m = 1; contours && m <= of->count; m++)
        free(contours[m].room);
    free(contours);
}

PyObject *contours(PyObject *self, PyObject *args)
{
    PyObject *capsules[2], *result = NULL;
    Py_buffer pairs;
    int radius, ok = 0;
    if (!PyArg_ParseTuple(args, "OOy*i", &capsules[0], &capsules[1], &pairs, &radius))
        return NULL;
    const Masks *gt = masks_of(capsules[0]), *pred = gt ? masks_of(capsules[1]) : NULL;
    if (pred && paired(gt, pred, &pairs)) {
        Contour *drawn[2] = {all(gt), all(pred)};
        result = PyBytes_FromStringAndSize(NULL, 4 * pairs.len);
        Counts *out = result ? (Counts *)PyBytes_AsString(result) : NULL;
        Py_BEGIN_ALLOW_THREADS
        ok = out && drawn[0] && drawn[1] && radius >= 0 && radius <= FAR &&
             compare((const Masks *[]){gt, pred}, drawn, pairs.buf, out, pairs.len / 4, radius);
        Py_END_ALLOW_THREADS
        release(drawn[0], gt);
        release(drawn[1], pred);
        if (!ok) {
            Py_CLEAR(result);
            PyErr_SetString(PyExc_ValueError, "contours: no memory, or a radius not in 0..255");
        }
    }
    PyBuffer_Release(&pairs);
    return result;
}
