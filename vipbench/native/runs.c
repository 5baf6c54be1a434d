/* The runs of a label map, and the joint histogram of two. Definitions: vipbench/runs.py. */

#include "kernels.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

/* Which of 64 bytes differ from those one item earlier, a bit each: of so many blocks. */
static void differing(const uint8_t *at, int itemsize, Py_ssize_t blocks, uint64_t *found)
{
    for (; blocks > 0; blocks--, at += 64, found++) {
        uint64_t same = 0;
#if defined(__SSE2__)
        for (int i = 0; i < 64; i += 16) {
            __m128i here = _mm_loadu_si128((const void *)(at + i));
            __m128i before = _mm_loadu_si128((const void *)(at + i - itemsize));
            same |= (uint64_t)_mm_movemask_epi8(_mm_cmpeq_epi8(here, before)) << i;
        }
#else
        for (int i = 0; i < 64; i++)
            same |= (uint64_t)(at[i] == at[i - itemsize]) << i;
#endif
        *found = ~same;
    }
}

#if defined(CLONES)
/* The same on newer processors. */
__attribute__((target("avx2"))) static void differing_wide(const uint8_t *at, int itemsize, Py_ssize_t blocks,
                                                           uint64_t *found)
{
    for (; blocks > 0; blocks--, at += 64, found++) {
        uint64_t same = 0;
        for (int i = 0; i < 64; i += 32) {
            __m256i here = _mm256_loadu_si256((const void *)(at + i));
            __m256i before = _mm256_loadu_si256((const void *)(at + i - itemsize));
            same |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(here, before)) << i;
        }
        *found = ~same;
    }
}
#endif

static inline int lowest(uint64_t bits)
{
#if defined(__GNUC__)
    return __builtin_ctzll(bits);
#else
    int at = 0;
    for (; !(bits & 1); bits >>= 1)
        at++;
    return at;
#endif
}

typedef struct {
    int32_t *start;
    uint16_t *value;
    Py_ssize_t n, room;
    uint8_t seen[]; /* of each id that there may be */
} Runs;

static int reserve(Runs *runs, Py_ssize_t more)
{
    if (runs->n + more <= runs->room)
        return 1;
    Py_ssize_t room = 2 * (runs->n + more) + 4096;
    int32_t *start = realloc(runs->start, room * sizeof *start);
    if (start)
        runs->start = start;
    uint16_t *value = start ? realloc(runs->value, room * sizeof *value) : NULL;
    if (!value)
        return 0;
    runs->value = value;
    runs->room = room;
    return 1;
}

/* As many blocks are compared at once. */
#define BLOCKS 64

/* Where items start that differ from the one before: of the blocks from byte `at` on. Returns how many there are. */
static int compare(const uint8_t *ids, int itemsize, Py_ssize_t at, Py_ssize_t bytes, uint64_t *starts)
{
    uint8_t rest[2 + 64] = {0};
    int left = bytes - at < 64 * BLOCKS ? (int)(bytes - at) : 64 * BLOCKS, blocks = left / 64;
#if defined(CLONES)
    (__builtin_cpu_supports("avx2") ? differing_wide : differing)(ids + at, itemsize, blocks, starts);
#else
    differing(ids + at, itemsize, blocks, starts);
#endif
    left %= 64;
    if (left) { /* the map's last bytes */
        memcpy(rest, ids + bytes - left - itemsize, itemsize + left);
        differing(rest + itemsize, itemsize, 1, &starts[blocks]);
        starts[blocks++] &= (1ull << left) - 1;
    }
    for (int i = 0; itemsize == 2 && i < blocks; i++) /* either byte */
        starts[i] = (starts[i] | starts[i] >> 1) & 0x5555555555555555u;
    return blocks;
}

/* The items that start in the blocks, of which the first is at a byte. What is asked of a block is guessed wrong too
   often: those with a start are found without asking, and two are noted of each, since most have no more. */
FAST static void note(Runs *runs, const uint64_t *starts, int blocks, Py_ssize_t byte, int itemsize)
{
    int32_t *start = runs->start + runs->n;
    int some[BLOCKS], n = 0;
    for (int i = 0; i < blocks; i++) {
        some[n] = i;
        n += starts[i] > 0;
    }
    for (int i = 0; i < n; i++) {
        uint64_t left = starts[some[i]];
        Py_ssize_t at = byte + 64 * (Py_ssize_t)some[i];
        *start++ = (int32_t)((at + lowest(left)) >> (itemsize - 1));
        left &= left - 1;
        *start = (int32_t)((at + lowest(left | 1ull << 63)) >> (itemsize - 1));
        start += left > 0;
        for (left &= left - 1; left; left &= left - 1)
            *start++ = (int32_t)((at + lowest(left)) >> (itemsize - 1));
    }
    runs->n = start - runs->start;
}

static inline unsigned value_of(const uint8_t *at, int itemsize)
{
    uint16_t wide;
    if (itemsize == 1)
        return *at;
    memcpy(&wide, at, 2);
    return wide;
}

/* The values of the runs; and where they start, without the byte before each line. */
static void look_up(Runs *runs, const uint8_t *ids, int itemsize, Py_ssize_t line, int before)
{
    int32_t passed = 0;
    Py_ssize_t next = before;
    for (Py_ssize_t i = 0; i < runs->n; i++) {
        Py_ssize_t at = (Py_ssize_t)runs->start[i] * itemsize;
        runs->value[i] = value_of(ids + at, itemsize);
        runs->seen[runs->value[i]] = 1;
        passed += at == next ? before : 0;
        next += at == next ? line : 0;
        runs->start[i] -= passed;
    }
}

/* A run starts where an item differs from the one before, and with each line. `before` each line there may be a byte
   that is none of it. */
static int find(Runs *runs, const uint8_t *ids, int itemsize, Py_ssize_t height, Py_ssize_t width, int before)
{
    Py_ssize_t line = width * itemsize + before, bytes = height * line, next = line + before, none = line;
    if (!reserve(runs, 1))
        return 0;
    runs->start[runs->n++] = before;
    for (Py_ssize_t at = itemsize + before; at < bytes; at += 64 * BLOCKS) {
        uint64_t starts[BLOCKS];
        int blocks = compare(ids, itemsize, at, bytes, starts);
        for (; before && none < bytes && none < at + 64 * BLOCKS; none += line)
            starts[(none - at) / 64] &= ~(1ull << ((none - at) % 64));
        for (; next < bytes && next < at + 64 * BLOCKS; next += line)
            starts[(next - at) / 64] |= 1ull << ((next - at) % 64);
        if (!reserve(runs, 64 * BLOCKS + 2))
            return 0;
        note(runs, starts, blocks, at, itemsize);
    }
    look_up(runs, ids, itemsize, line, before);
    return 1;
}

PyObject *runs(PyObject *self, PyObject *args)
{
    Py_buffer ids;
    Py_ssize_t height, width;
    int itemsize, before;
    if (!PyArg_ParseTuple(args, "y*inni", &ids, &itemsize, &height, &width, &before))
        return NULL;
    Py_ssize_t possible = itemsize == 1 ? 256 : IDS, line = width * itemsize + before;
    Runs *found = calloc(1, sizeof *found + possible);
    PyObject *result = NULL;
    int ok = found && (itemsize == 1 || (itemsize == 2 && !before)) && (before == 0 || before == 1) && height > 0 &&
             width > 0 && width < INT32_MAX && height <= INT32_MAX / (width + before) && ids.len / line == height &&
             ids.len % line == 0;
    Py_BEGIN_ALLOW_THREADS
    ok = ok && find(found, ids.buf, itemsize, height, width, before);
    Py_END_ALLOW_THREADS
    uint16_t *present = ok ? malloc(possible * sizeof *present) : NULL;
    if (present) {
        Py_ssize_t distinct = 0;
        for (int i = 0; i < possible; i++)
            if (found->seen[i])
                present[distinct++] = i;
        result = Py_BuildValue("(y#y#y#)", found->start, 4 * found->n, found->value, 2 * found->n, present, 2 * distinct);
    } else
        PyErr_SetString(PyExc_ValueError, "runs: no memory, or ids of another type or size");
    free(present);
    if (found) {
        free(found->start);
        free(found->value);
    }
    free(found);
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
