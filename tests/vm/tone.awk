# Loudness and frequency of a tone: one 16-bit sample per line comes in, "dB Hz"
# goes out, both as the median of pieces of 50 ms, so that the gaps of a busy
# machine do not count. The frequency is that of the zero crossings, right for
# one clear tone.
function median(values, n,    i, j, value) {
    for (i = 2; i <= n; i++) {
        value = values[i]
        for (j = i - 1; j >= 1 && values[j] > value; j--) values[j + 1] = values[j]
        values[j + 1] = value
    }
    return n ? values[int((n + 1) / 2)] : 0
}
function begin_piece() {
    sum = first = end = crossings = 0
}
BEGIN {
    size = rate / 20
    begin_piece()
}
{
    sum += $1 * $1
    if (last < 0 && $1 >= 0) {
        if (!first) first = NR
        crossings++
        end = NR
    }
    last = $1
    if (NR % size == 0) {
        rms = sqrt(sum / size)
        pieces++
        level[pieces] = rms > 0 ? 20 * log(rms / 32768) / log(10) : -120
        hz[pieces] = crossings > 1 ? (crossings - 1) * rate / (end - first) : 0
        begin_piece()
    }
}
END {
    if (!pieces) print "-120 0"
    else printf "%.0f %.0f\n", median(level, pieces), median(hz, pieces)
}
