// What the native load generator and the native sink share: clocks, arguments, test payloads, frame headers.
#ifndef SANSOCKET_BENCH_COMMON_H
#define SANSOCKET_BENCH_COMMON_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void die(const char *format, ...) {
  va_list list;
  va_start(list, format);
  vfprintf(stderr, format, list);
  va_end(list);
  fputc('\n', stderr);
  exit(1);
}

static uint64_t read_clock(clockid_t clock) {
  struct timespec t;
  if (clock_gettime(clock, &t) != 0) return 0;
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static uint64_t now_ns(void) { return read_clock(CLOCK_MONOTONIC); }
static uint64_t own_cpu_ns(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

/** CPU time of another process, all threads, in nanoseconds; 0 if it cannot be read. */
static uint64_t other_cpu_ns(pid_t pid) {
  clockid_t clock;
  if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0) return 0;
  return read_clock(clock);
}

static const char *argument(int argc, char **argv, const char *name, const char *fallback) {
  size_t length = strlen(name);
  for (int i = 1; i < argc; i++)
    if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=') return argv[i] + length + 1;
  return fallback;
}

static long number(int argc, char **argv, const char *name, long fallback) {
  const char *value = argument(argc, argv, name, NULL);
  return value ? atol(value) : fallback;
}

static void raise_file_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/** The same bytes as `payload()` in payload.mjs. */
static void fill_payload(uint8_t *into, size_t size, const char *kind) {
  if (strcmp(kind, "binary") == 0) {
    for (size_t i = 0; i < size; i++) into[i] = (uint8_t)(i * 31 + 7);
  } else if (strcmp(kind, "text") == 0) {
    for (size_t i = 0; i < size; i++) into[i] = (uint8_t)('a' + i % 26);
  } else if (strcmp(kind, "unicode") == 0) {
    static const char unit[] = "Привет, мир! Grüße 你好世界 ";
    size_t length = sizeof unit - 1, i = 0;
    for (; i + length <= size; i += length) memcpy(into + i, unit, length);
    for (; i < size; i++) into[i] = 'x';
  } else {
    die("unknown kind %s", kind);
  }
}

/** Writes a frame header without the masking key; returns its length. */
static size_t frame_header(uint8_t *out, int fin, int opcode, int masked, uint64_t length) {
  out[0] = (uint8_t)((fin ? 0x80 : 0) | opcode);
  uint8_t mask = masked ? 0x80 : 0;
  if (length < 126) {
    out[1] = (uint8_t)(mask | length);
    return 2;
  }
  if (length < 65536) {
    out[1] = mask | 126;
    out[2] = (uint8_t)(length >> 8);
    out[3] = (uint8_t)length;
    return 4;
  }
  out[1] = mask | 127;
  for (int i = 0; i < 8; i++) out[2 + i] = (uint8_t)(length >> (56 - 8 * i));
  return 10;
}

static void set_nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

static void set_no_delay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/** A cursor over the data frames that one side sends: counts messages and payload bytes, checks what it can. */
struct frames {
  uint8_t header[14];
  uint32_t have;       // bytes of the current header
  uint64_t remaining;  // bytes of the current payload
  uint64_t position;   // in the current message
  uint8_t key[4];
  uint8_t opcode, fin, in_payload, verified;
};

struct expected {
  const uint8_t *payload;
  uint64_t size;
  int opcode;
  int masked;
};

struct counts {
  uint64_t messages, bytes;
};

static void frames_payload(struct frames *f, const struct expected *e, const uint8_t *p, uint64_t n, struct counts *c) {
  if (f->opcode < 8) {
    if (!f->verified) {  // only the first message of a connection: that the work is done right, at no cost later
      if (f->position + n > e->size) die("a message is longer than what was sent");
      if (e->masked) {
        uint64_t offset = f->position;  // the sink's messages come in one frame
        for (uint64_t i = 0; i < n; i++)
          if ((uint8_t)(p[i] ^ f->key[(offset + i) & 3]) != e->payload[offset + i]) die("a message differs from what was sent");
      } else if (memcmp(p, e->payload + f->position, n) != 0) {
        die("a message differs from what was sent");
      }
    }
    f->position += n;
    c->bytes += n;
  }
  f->remaining -= n;
}

static void frames_end(struct frames *f, const struct expected *e, struct counts *c) {
  f->in_payload = 0;
  f->have = 0;
  if (f->opcode >= 8 || !f->fin) return;
  if (f->position != e->size) die("a message has %llu bytes", (unsigned long long)f->position);
  f->position = 0;
  f->verified = 1;
  c->messages++;
}

static void frames_take(struct frames *f, const struct expected *e, const uint8_t *p, size_t n, struct counts *c) {
  const uint8_t *end = p + n;
  while (p < end) {
    if (f->in_payload) {
      uint64_t take = (uint64_t)(end - p) < f->remaining ? (uint64_t)(end - p) : f->remaining;
      frames_payload(f, e, p, take, c);
      p += take;
      if (f->remaining == 0) frames_end(f, e, c);
      continue;
    }
    f->header[f->have++] = *p++;
    if (f->have < 2) continue;
    uint32_t need = 2, length = f->header[1] & 127;
    if (length == 126) need = 4;
    if (length == 127) need = 10;
    uint32_t key_at = need;
    if (e->masked) need += 4;
    if (f->have < need) continue;
    f->fin = f->header[0] >> 7;
    f->opcode = f->header[0] & 15;
    if (f->header[0] & 0x70) die("a frame has reserved bits set");
    if ((f->header[1] >> 7) != e->masked) die("a frame has the wrong mask bit");
    if (f->opcode == 8) die("the connection was closed while measuring");
    if (f->opcode < 8 && f->opcode != (f->position ? 0 : e->opcode)) {
      if (!(f->opcode == 0 && f->position)) die("a frame has opcode %d", f->opcode);
    }
    f->remaining = length;
    if (length >= 126) {
      f->remaining = 0;
      for (uint32_t i = 2; i < key_at; i++) f->remaining = f->remaining << 8 | f->header[i];
    }
    if (e->masked) memcpy(f->key, f->header + key_at, 4);
    f->in_payload = 1;
    if (f->remaining == 0) frames_end(f, e, c);
  }
}

/** A stretch of time in which a process is to work: it ends when the process had most of it as CPU time, and after four such at last. On a
 * machine that others use, a stretch by the clock alone would measure code that the compiler has hardly seen. */
struct stretch {
  uint64_t from, cpu, length;
  pid_t pid;
};

static struct stretch stretch_begin(pid_t pid, uint64_t milliseconds) {
  struct stretch s = {now_ns(), other_cpu_ns(pid), milliseconds * 1000000ull, pid};
  return s;
}

static int stretch_over(const struct stretch *s, uint64_t now) {
  if (now - s->from < s->length) return 0;
  if (s->pid <= 0 || now - s->from >= 4 * s->length) return 1;
  return 10 * (other_cpu_ns(s->pid) - s->cpu) >= 7 * s->length;
}

/** What was counted between two moments. */
struct window {
  uint64_t time, cpu, other;
  struct counts counts;
};

static struct window window_now(pid_t pid, const struct counts *counts) {
  struct window w = {now_ns(), own_cpu_ns(), other_cpu_ns(pid), *counts};
  return w;
}

static void window_print(const struct window *a, const struct window *b, double messages) {
  printf("{\"messages\":%.6f,\"seconds\":%.9f,\"ownCpu\":%.9f,\"targetCpu\":%.9f}\n", messages,
         (double)(b->time - a->time) / 1e9, (double)(b->cpu - a->cpu) / 1e9, (double)(b->other - a->other) / 1e9);
  fflush(stdout);
}

#endif
