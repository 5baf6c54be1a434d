/* The flow-guided warp of channels-last maps, bilinear and times a scale. Definition: baselines/nn/warp/taps.py.

   A pixel's channels lie together: its four neighbours are found once, then the loop over the channels reads
   four rows and the scale's and writes one. */

#include "kernels.h"
#if defined(__GNUC__) && !defined(_WIN32)
#define TEAM
#include <dlfcn.h>
#endif

/* The loops are compiled for wider vectors too, and the processor's own are taken when the module is loaded. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#define WITHIN static inline __attribute__((always_inline)) /* else it would not be compiled with its caller */
#else
#define WIDE
#define WITHIN static inline
#endif
#if defined(_MSC_VER)
#define restrict __restrict
#endif

#define BANDS 8 /* of rows for each thread, at least, so that none waits long for another */

enum border { ATEN, ZEROS, CLAMP };

typedef uint16_t bfloat16;

WITHIN float wide_bfloat16(bfloat16 narrow)
{
    uint32_t bits = (uint32_t)narrow << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* To the nearest, ties to even. What is not a number stays so: its low half is 0, as of all such that bfloat16 makes. */
WITHIN bfloat16 narrow_bfloat16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bfloat16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#define SAME(value) (value)

/* A position along an axis -> the two cells around it and their weights; `reach` cells beyond the map count. */
#define AXIS(REAL)                                                                                              \
    WITHIN void axis_##REAL(REAL at, int size, int reach, Py_ssize_t cell[2], REAL weight[2])            \
    {                                                                                                           \
        REAL low = (REAL)-reach, high = (REAL)(size - 1 + reach);                                               \
        REAL held = at >= low ? (at <= high ? at : high) : low;                                                 \
        int first = (int)(held + 1) - 1; /* floor, from -1 on */                                                \
        REAL part = held - (REAL)first;                                                                         \
        for (int i = 0; i < 2; i++) {                                                                           \
            int here = first + i, inside = here >= 0 && here < size;                                            \
            weight[i] = !inside && reach ? 0 : i ? part : 1 - part;                                             \
            cell[i] = here < 0 ? 0 : here < size ? here : size - 1;                                             \
        }                                                                                                       \
    }

AXIS(float)
AXIS(double)

struct sizes {
    int channels, height, width, border;
    Py_ssize_t first, last; /* rows of the output, over all maps */
};

#define WARP(NAME, TYPE, REAL, LOAD, STORE)                                                                     \
    WITHIN void NAME##_pixel(const TYPE *restrict const tap[4], const REAL weight[4],                    \
                                    const TYPE *restrict scale, TYPE *restrict out, int channels)               \
    {                                                                                                           \
        const TYPE *restrict a = tap[0], *restrict b = tap[1], *restrict c = tap[2], *restrict d = tap[3];      \
        REAL p = weight[0], q = weight[1], r = weight[2], s = weight[3];                                        \
        if (scale)                                                                                              \
            for (int i = 0; i < channels; i++)                                                                  \
                out[i] = STORE((p * LOAD(a[i]) + q * LOAD(b[i]) + r * LOAD(c[i]) + s * LOAD(d[i])) *            \
                               LOAD(scale[i]));                                                                 \
        else                                                                                                    \
            for (int i = 0; i < channels; i++)                                                                  \
                out[i] = STORE(p * LOAD(a[i]) + q * LOAD(b[i]) + r * LOAD(c[i]) + s * LOAD(d[i]));              \
    }                                                                                                           \
                                                                                                                \
    WIDE static void NAME(const TYPE *features, const REAL *flow, const TYPE *scale, const int64_t *keys,       \
                          TYPE *out, struct sizes is)                                                           \
    {                                                                                                           \
        Py_ssize_t plane = (Py_ssize_t)is.height * is.width, reach = is.border == ZEROS;                        \
        for (Py_ssize_t row = is.first; row < is.last; row++) {                                                 \
            Py_ssize_t n = row / is.height, y = row % is.height;                                                \
            const TYPE *map = features + (keys ? keys[n] : n) * plane * is.channels;                            \
            const REAL *u = flow + 2 * n * plane + y * is.width, *v = u + plane;                                \
            for (int x = 0; x < is.width; x++) {                                                                \
                Py_ssize_t columns[2], rows[2], at = (row * is.width + x) * is.channels;                        \
                REAL across[2], down[2], px = (REAL)x + u[x], py = (REAL)y + v[x], weight[4];                   \
                axis_##REAL(px, is.width, (int)reach, columns, across);                                         \
                axis_##REAL(py, is.height, (int)reach, rows, down);                                             \
                int seen = is.border == ATEN ? px >= 0 && px < is.width && py >= 0 && py < is.height            \
                                             : px == px && py == py;                                            \
                const TYPE *tap[4];                                                                             \
                for (int i = 0; i < 4; i++) {                                                                   \
                    weight[i] = seen ? across[i & 1] * down[i >> 1] : 0;                                        \
                    tap[i] = map + (rows[i >> 1] * is.width + columns[i & 1]) * is.channels;                    \
                }                                                                                               \
                NAME##_pixel(tap, weight, scale ? scale + at : NULL, out + at, is.channels);                    \
            }                                                                                                   \
        }                                                                                                       \
    }

WARP(warp_float, float, float, SAME, SAME)
WARP(warp_double, double, double, SAME, SAME)
WARP(warp_bfloat16, bfloat16, float, wide_bfloat16, narrow_bfloat16)

/* Whether the buffers have the sizes and the keys name a map there is. */
static int fits(const Py_buffer *in, const Py_buffer *out, struct sizes is, Py_ssize_t item)
{
    const Py_buffer *features = in, *flow = in + 1, *scale = in + 2, *keys = in + 3;
    if (item != 2 && item != 4 && item != 8)
        return 0;
    if (is.channels < 1 || is.height < 1 || is.width < 1 || is.height > 1 << 22 || is.width > 1 << 22)
        return 0;
    Py_ssize_t real = item == 8 ? 8 : 4, plane = (Py_ssize_t)is.height * is.width;
    Py_ssize_t map = plane * is.channels * item, n = flow->len / (2 * plane * real), maps = features->len / map;
    if (flow->len != n * 2 * plane * real || features->len != maps * map || out->len != n * map)
        return 0;
    if (scale->buf && scale->len != out->len)
        return 0;
    if (!keys->buf)
        return maps == n;
    if (keys->len != n * 8)
        return 0;
    for (Py_ssize_t i = 0; i < n; i++)
        if (((const int64_t *)keys->buf)[i] < 0 || ((const int64_t *)keys->buf)[i] >= maps)
            return 0;
    return 1;
}

/* A warp in bands of rows: whichever thread is free takes the next. */
struct work {
    const void *features, *flow, *scale, *keys;
    void *out;
    int item;
    struct sizes is; /* of all rows */
    Py_ssize_t band, next;
};

static Py_ssize_t take(struct work *work)
{
#ifdef TEAM
    return __atomic_fetch_add(&work->next, work->band, __ATOMIC_RELAXED);
#else
    Py_ssize_t first = work->next;
    work->next += work->band;
    return first;
#endif
}

static void bands(void *of)
{
    struct work *work = of;
    const void *f = work->features, *m = work->flow, *s = work->scale, *k = work->keys;
    struct sizes is = work->is;
    while ((is.first = take(work)) < work->is.last) {
        Py_ssize_t end = is.first + work->band;
        is.last = end < work->is.last ? end : work->is.last;
        if (work->item == 2)
            warp_bfloat16(f, m, s, k, work->out, is);
        else if (work->item == 4)
            warp_float(f, m, s, k, work->out, is);
        else
            warp_double(f, m, s, k, work->out, is);
    }
}

/* By the threads that torch computes with, where GOMP_parallel is found: they spin for a while after each operator,
   and others would have to share their processors with them. After a fork they hang, as torch's operators do. */
static void share(struct work *work, int threads)
{
#ifdef TEAM
    void (*parallel)(void (*)(void *), void *, unsigned, unsigned) = NULL;
    if (threads > 1)
        *(void **)&parallel = dlsym(RTLD_DEFAULT, "GOMP_parallel");
    if (parallel) {
        parallel(bands, work, (unsigned)threads, 0);
        return;
    }
#endif
    (void)threads;
    bands(work);
}

PyObject *warp(PyObject *self, PyObject *args)
{
    Py_buffer in[4] = {{0}}, out = {0};
    struct sizes is = {0};
    int item, threads;
    PyObject *done = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*z*z*w*iiiiii", in, in + 1, in + 2, in + 3, &out, &item, &is.channels,
                          &is.height, &is.width, &is.border, &threads))
        return NULL;
    if (!fits(in, &out, is, item)) {
        PyErr_SetString(PyExc_ValueError, "warp: the arrays do not have the sizes");
    } else {
        is.last = out.len / ((Py_ssize_t)item * is.channels * is.width);
        threads = threads < is.last ? threads : (int)is.last;
        Py_ssize_t band = is.last / (threads > 1 ? BANDS * (Py_ssize_t)threads : 1);
        struct work work = {in[0].buf, in[1].buf, in[2].buf, in[3].buf, out.buf, item, is, band ? band : 1, 0};
        Py_BEGIN_ALLOW_THREADS;
        share(&work, threads);
        Py_END_ALLOW_THREADS;
        done = Py_NewRef(Py_None);
    }
    for (int i = 0; i < 4; i++)
        PyBuffer_Release(in + i);
    PyBuffer_Release(&out);
    return done;
}
