/* A photo at another size by weighted sums, first of each line, then of each column. Definition: Pillow, called in
   vipbench/pixels.py; sums and roundings are its own, so that the bytes are equal. */

#include "kernels.h"

#define CHANNELS 4 /* as Pillow keeps RGB */
#define BITS 22    /* of the weights' fractions */

/* For each output, the first input that it sums and the weights of that and the next ones. */
struct taps {
    const int32_t *first, *weight;
    int count, most;
};

static inline uint8_t rounded(int32_t sum)
{
    int32_t whole = sum >> BITS;
    return whole > 255 ? 255 : (uint8_t)whole;
}

/* Two pixels one above the other: what is multiplied at once. */
#define LANES (2 * CHANNELS)
#if defined(__GNUC__)
typedef int32_t Lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define ADD(sum, in, weight) *(Lanes *)(sum) += *(const Lanes *)(in) * (weight)
#else
#define ADD(sum, in, weight)                                                                                    \
    for (int c = 0; c < LANES; c++)                                                                             \
    (sum)[c] += (in)[c] * (weight)
#endif

/* Two lines (or one twice) at once; wide: room for both in words, their pixels in turn. */
FAST static void across(const uint8_t *const line[2], Py_ssize_t width, struct taps x, int32_t *wide,
                        uint8_t *const out[2])
{
    for (Py_ssize_t n = 0; n < width; n++)
        for (int c = 0; c < LANES; c++)
            wide[n * LANES + c] = line[c / CHANNELS][n * CHANNELS + c % CHANNELS];
    for (int i = 0; i < x.count; i++) {
        const int32_t *in = wide + (Py_ssize_t)x.first[i] * LANES, *weight = x.weight + (Py_ssize_t)i * x.most;
        int32_t sum[LANES];
        for (int c = 0; c < LANES; c++)
            sum[c] = 1 << (BITS - 1);
        for (int k = 0; k < x.most; k++, in += LANES)
            ADD(sum, in, weight[k]);
        for (int c = 0; c < LANES; c++)
            out[c / CHANNELS][i * CHANNELS + c % CHANNELS] = rounded(sum[c]);
    }
}

FAST static void down(const uint8_t *lines, Py_ssize_t width, struct taps y, int i, int32_t *sum, uint8_t *out)
{
    for (Py_ssize_t n = 0; n < width; n++)
        sum[n] = 1 << (BITS - 1);
    for (int k = 0; k < y.most; k++) {
        const uint8_t *in = lines + (y.first[i] + k) * width;
        int32_t weight = y.weight[(Py_ssize_t)i * y.most + k];
        for (Py_ssize_t n = 0; n < width; n++)
            sum[n] += weight * in[n];
    }
    for (Py_ssize_t n = 0; n < width / CHANNELS; n++)
        for (int c = 0; c < 3; c++)
            out[3 * n + c] = rounded(sum[CHANNELS * n + c]);
}

/* Whether the taps are as many as they say and lie within `size` inputs. */
static int within(const Py_buffer *first, const Py_buffer *weight, int size, struct taps *taps)
{
    Py_ssize_t count = first->len / 4;
    if (count < 1 || count > 1 << 20 || first->len % 4 || weight->len % first->len || weight->len / first->len < 1)
        return 0;
    *taps = (struct taps){first->buf, weight->buf, (int)count, (int)(weight->len / first->len)};
    for (int i = 0; i < taps->count; i++)
        if (taps->first[i] < 0 || taps->first[i] > size - taps->most)
            return 0;
    return 1;
}

static PyObject *resized(const uint8_t *pixels, int height, int width, struct taps x, struct taps y)
{
    Py_ssize_t line = (Py_ssize_t)x.count * CHANNELS;
    PyObject *done = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)y.count * x.count * 3);
    uint8_t *lines = malloc(height * line);
    int32_t *wide = malloc(width * LANES * sizeof *wide), *sum = malloc(line * sizeof *sum);
    if (done && lines && wide && sum) {
        uint8_t *out = (uint8_t *)PyBytes_AsString(done);
        Py_BEGIN_ALLOW_THREADS;
        for (int i = 0; i < height; i += 2) {
            Py_ssize_t at[2] = {i, i + 1 < height ? i + 1 : i};
            const uint8_t *two[2] = {pixels + at[0] * width * CHANNELS, pixels + at[1] * width * CHANNELS};
            across(two, width, x, wide, (uint8_t *[2]){lines + at[0] * line, lines + at[1] * line});
        }
        for (int i = 0; i < y.count; i++)
            down(lines, line, y, i, sum, out + (Py_ssize_t)i * x.count * 3);
        Py_END_ALLOW_THREADS;
    } else {
        Py_CLEAR(done);
        PyErr_NoMemory();
    }
    free(lines);
    free(wide);
    free(sum);
    return done;
}

PyObject *resize(PyObject *self, PyObject *args)
{
    Py_buffer in[5] = {{0}};
    int height, width;
    struct taps x, y;
    PyObject *done = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*iiy*y*y*y*", in, &height, &width, in + 1, in + 2, in + 3, in + 4))
        return NULL;
    int fit = height > 0 && width > 0 && in[0].len == (Py_ssize_t)height * width * CHANNELS;
    if (fit && within(in + 1, in + 2, height, &y) && within(in + 3, in + 4, width, &x))
        done = resized(in[0].buf, height, width, x, y);
    else
        PyErr_SetString(PyExc_ValueError, "resize: the arrays do not have the sizes");
    for (int i = 0; i < 5; i++)
        PyBuffer_Release(in + i);
    return done;
}
