/* Masks of a label map as bits, and how much of them overlaps. Definition: metrics/region.py. */

#include "kernels.h"

static const char NAME[] = "vipbench.masks";

static void release(Masks *found)
{
    if (found) {
        free(found->bits);
        free(found->mask);
    }
    free(found);
}

static void forget(PyObject *capsule)
{
    release(PyCapsule_GetPointer(capsule, NAME));
}

const Masks *masks_of(PyObject *capsule)
{
    return PyCapsule_GetPointer(capsule, NAME);
}

static Masks *make_room(int count, int32_t height, int32_t width)
{
    Masks *found = count < 0 || height < 1 || width < 1 ? NULL : calloc(1, sizeof *found);
    if (!found)
        return NULL;
    *found = (Masks){count, height, width, width / 64 + (width % 64 > 0) + 1, NULL, NULL};
    size_t each = (size_t)height * found->words;
    found->mask = calloc((size_t)count + 1, sizeof(Mask));
    found->bits = calloc(count * each + 1, 8);
    if (!found->mask || !found->bits) {
        release(found);
        return NULL;
    }
    for (int m = 1; m <= count; m++)
        found->mask[m] = (Mask){found->bits + (m - 1) * each, height, 0, width, 0, 0};
    return found;
}

/* From this column on what was set is not, and what was not is: in its word, the rest of the line follows in `fill`. */
static inline void turn(uint64_t *line, int32_t x)
{
    line[x / 64] ^= ~0ull << (x % 64);
}

/* Each run turns its line where it begins and where it ends. 0 for what are no runs of such a map: they follow each
   other, and the last of a line ends with it. */
static int draw(Masks *found, const int32_t *start, const uint16_t *value, Py_ssize_t n, const uint16_t *group,
                Py_ssize_t ids)
{
    int32_t width = found->width, y = 0, line = 0, end = start[0];
    for (Py_ssize_t r = 0; r < n; r++) {
        int32_t from = end - line, to;
        end = r + 1 < n ? start[r + 1] : found->height * width;
        to = end - line;
        if (from < 0 || from >= to || to > width || value[r] >= ids)
            return 0;
        unsigned m = group[value[r]];
        if (m) {
            Mask *mask = &found->mask[m];
            uint64_t *bits = mask->bits + (Py_ssize_t)y * found->words;
            turn(bits, from);
            turn(bits, to);
            mask->bottom = y + 1;
            if (y < mask->top) /* seldom, so that a branch costs less than a store */
                mask->top = y;
            if (from < mask->left)
                mask->left = from;
            if (to > mask->right)
                mask->right = to;
        }
        y += to == width;
        line += to == width ? width : 0;
    }
    return line == found->height * width;
}

/* Every word of a line after one that ends inside is turned. */
FAST static void fill(Mask *mask, int32_t words)
{
    for (int32_t y = mask->top; y < mask->bottom; y++) {
        uint64_t *line = mask->bits + (Py_ssize_t)y * words, inside = 0;
        for (int32_t i = mask->left / 64; i <= mask->right / 64; i++) {
            line[i] ^= inside;
            inside = 0 - (line[i] >> 63);
            mask->area += ones(line[i]);
        }
    }
}

PyObject *masks(PyObject *self, PyObject *args)
{
    Py_buffer starts, values, groups;
    int count, height, width;
    if (!PyArg_ParseTuple(args, "y*y*y*iii", &starts, &values, &groups, &count, &height, &width))
        return NULL;
    Masks *found = NULL;
    int ok = starts.len && starts.len == 2 * values.len && highest(&groups) <= (unsigned)count &&
             (found = make_room(count, height, width));
    Py_BEGIN_ALLOW_THREADS
    ok = ok && draw(found, starts.buf, values.buf, starts.len / 4, groups.buf, groups.len / 2);
    for (int m = 1; ok && m <= count; m++)
        fill(&found->mask[m], found->words);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&starts);
    PyBuffer_Release(&values);
    PyBuffer_Release(&groups);
    PyObject *result = ok ? PyCapsule_New(found, NAME, forget) : NULL;
    if (!result)
        release(found);
    if (!result && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "masks: no memory, no runs of such a map, or not a mask for each id");
    return result;
}

/* How many pixels are in both. */
FAST static int32_t shared(const Mask *one, const Mask *other, int32_t words)
{
    int32_t top = one->top > other->top ? one->top : other->top, found = 0;
    int32_t bottom = one->bottom < other->bottom ? one->bottom : other->bottom;
    int32_t left = one->left > other->left ? one->left : other->left;
    int32_t right = one->right < other->right ? one->right : other->right;
    for (int32_t y = top; y < bottom; y++) {
        const uint64_t *a = one->bits + (Py_ssize_t)y * words, *b = other->bits + (Py_ssize_t)y * words;
        for (int32_t i = left / 64; i <= right / 64; i++)
            found += ones(a[i] & b[i]);
    }
    return found;
}

PyObject *overlaps(PyObject *self, PyObject *args)
{
    PyObject *capsules[2], *result = NULL;
    Py_buffer pairs;
    if (!PyArg_ParseTuple(args, "OOy*", &capsules[0], &capsules[1], &pairs))
        return NULL;
    const Masks *gt = masks_of(capsules[0]), *pred = gt ? masks_of(capsules[1]) : NULL;
    if (pred && paired(gt, pred, &pairs) && (result = PyBytes_FromStringAndSize(NULL, 3 * pairs.len))) {
        int32_t *out = (int32_t *)PyBytes_AsString(result);
        const uint16_t *at = pairs.buf;
        for (Py_ssize_t i = 0; i < pairs.len / 4; i++, at += 2, out += 3) {
            const Mask *one = &gt->mask[at[0]], *other = &pred->mask[at[1]];
            out[0] = shared(one, other, gt->words);
            out[1] = one->area;
            out[2] = other->area;
        }
    }
    PyBuffer_Release(&pairs);
    return result;
}
