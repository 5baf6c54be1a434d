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

/* What is worked on: two lines as words, their pixels in turn; sums of the new ones, and these as bytes. */
struct room {
    int32_t *wide, *sum;
    uint8_t *bytes;
};

static inline void rounded(const int32_t *sum, Py_ssize_t count, uint8_t *out)
{
    for (Py_ssize_t n = 0; n < count; n++) {
        int32_t whole = sum[n] >> BITS;
        out[n] = (uint8_t)(whole > 255 ? 255 : whole);
    }
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

/* Two lines (or one twice) at once. */
FAST static void across(const uint8_t *const line[2], Py_ssize_t width, struct taps x, struct room room,
                        uint8_t *const out[2])
{
    for (Py_ssize_t n = 0; n < width; n++)
        for (int c = 0; c < LANES; c++)
            room.wide[n * LANES + c] = line[c / CHANNELS][n * CHANNELS + c % CHANNELS];
    for (int i = 0; i < x.count; i++) {
        const int32_t *in = room.wide + (Py_ssize_t)x.first[i] * LANES, *weight = x.weight + (Py_ssize_t)i * x.most;
        int32_t sum[LANES];
        for (int c = 0; c < LANES; c++)
            sum[c] = 1 << (BITS - 1);
        for (int k = 0; k < x.most; k++, in += LANES)
            ADD(sum, in, weight[k]);
        memcpy(room.sum + (Py_ssize_t)i * LANES, sum, sizeof sum);
    }
    rounded(room.sum, (Py_ssize_t)x.count * LANES, room.bytes);
    for (int l = 0; l < 2; l++)
        for (Py_ssize_t i = 0; i < x.count; i++)
            memcpy(out[l] + i * 3, room.bytes + i * LANES + l * CHANNELS, 3);
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
    rounded(sum, width, out);
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
    Py_ssize_t line = (Py_ssize_t)x.count * 3, two = (Py_ssize_t)x.count * LANES;
    PyObject *done = PyBytes_FromStringAndSize(NULL, y.count * line);
    uint8_t *lines = malloc(height * line);
    struct room room = {malloc(sizeof(int32_t) * width * LANES), malloc(sizeof(int32_t) * two), malloc(two)};
    if (done && lines && room.wide && room.sum && room.bytes) {
        uint8_t *out = (uint8_t *)PyBytes_AsString(done);
        Py_BEGIN_ALLOW_THREADS;
        for (int i = 0; i < height; i += 2) {
            Py_ssize_t at[2] = {i, i + 1 < height ? i + 1 : i};
            const uint8_t *in[2] = {pixels + at[0] * width * CHANNELS, pixels + at[1] * width * CHANNELS};
            across(in, width, x, room, (uint8_t *[2]){lines + at[0] * line, lines + at[1] * line});
        }
        for (int i = 0; i < y.count; i++)
            down(lines, line, y, i, room.sum, out + i * line);
        Py_END_ALLOW_THREADS;
    } else {
        Py_CLEAR(done);
        PyErr_NoMemory();
    }
    free(lines);
    free(room.wide);
    free(room.sum);
    free(room.bytes);
    return done;
}

/* The Arrow C data interface: how Pillow shows where it holds its pixels. */
struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children, *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

/* The bytes of an object with the buffer protocol, or of a list of pixels in a capsule. */
static int view(PyObject *object, Py_buffer *bytes)
{
    if (!PyCapsule_IsValid(object, "arrow_array"))
        return PyObject_GetBuffer(object, bytes, PyBUF_SIMPLE) == 0;
    const struct ArrowArray *list = PyCapsule_GetPointer(object, "arrow_array");
    const struct ArrowArray *values = list->release && list->n_children == 1 ? list->children[0] : NULL;
    if (values && values->n_buffers == 2 && !list->offset && !values->offset)
        return PyBuffer_FillInfo(bytes, object, (void *)values->buffers[1], values->length, 1, PyBUF_SIMPLE) == 0;
    PyErr_SetString(PyExc_ValueError, "resize: the array is no list of pixels");
    return 0;
}

PyObject *resize(PyObject *self, PyObject *args)
{
    Py_buffer in[5] = {{0}};
    int height, width;
    struct taps x, y;
    PyObject *image, *done = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "Oiiy*y*y*y*", &image, &height, &width, in + 1, in + 2, in + 3, in + 4))
        return NULL;
    if (view(image, in)) {
        int fit = height > 0 && width > 0 && in[0].len == (Py_ssize_t)height * width * CHANNELS;
        if (fit && within(in + 1, in + 2, height, &y) && within(in + 3, in + 4, width, &x))
            done = resized(in[0].buf, height, width, x, y);
        else
            PyErr_SetString(PyExc_ValueError, "resize: the arrays do not have the sizes");
    }
    for (int i = 0; i < 5; i++)
        PyBuffer_Release(in + i);
    return done;
}
