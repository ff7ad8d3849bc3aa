# Loudness and frequency of a tone: one 16-bit sample per line comes in, "dB Hz"
# goes out. The frequency is that of the zero crossings, right for one clear tone.
{
    sum += $1 * $1
    if (last < 0 && $1 >= 0) {
        if (!first) first = NR
        crossings++
        end = NR
    }
    last = $1
}
END {
    rms = NR ? sqrt(sum / NR) : 0
    level = rms > 0 ? 20 * log(rms / 32768) / log(10) : -120
    hz = crossings > 1 ? (crossings - 1) * rate / (end - first) : 0
    printf "%.0f %.0f\n", level, hz
}
