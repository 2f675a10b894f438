// The native other end of a client under test: accepts WebSocket connections, then either counts the masked messages
// that arrive (mode=sink) or streams unmasked messages as fast as they are taken (mode=source).
//
//   sink mode=sink|source pid=N [kind=binary|text|unicode] [size=N] [connections=N] [warmup=MS] [duration=MS]
//
// Prints {"port":N}, then one JSON line of the measured window. The window begins when all connections are open.
#include "common.h"

struct peer {
  int fd;
  uint64_t sent;
  struct frames frames;
};

static uint8_t input[256 * 1024];

// --- The accept value (RFC 6455 4.2.2) -----------------------------------------------------------------------------

static uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void sha1_short(const uint8_t *data, size_t length, uint8_t out[20]) {
  uint8_t block[128] = {0};  // two blocks: enough for 60 bytes
  memcpy(block, data, length);
  block[length] = 0x80;
  block[126] = (uint8_t)(length * 8 >> 8);
  block[127] = (uint8_t)(length * 8);
  uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  for (int b = 0; b < 2; b++) {
    uint32_t w[80];
    for (int i = 0; i < 16; i++) {
      const uint8_t *p = block + b * 64 + i * 4;
      w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
    for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = h[0], bb = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
      uint32_t f = i < 20   ? (bb & c) | (~bb & d)
                   : i < 40 ? bb ^ c ^ d
                   : i < 60 ? (bb & c) | (bb & d) | (c & d)
                            : bb ^ c ^ d;
      static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
      uint32_t t = rotate(a, 5) + f + e + k[i / 20] + w[i];
      e = d;
      d = c;
      c = rotate(bb, 30);
      bb = a;
      a = t;
    }
    h[0] += a, h[1] += bb, h[2] += c, h[3] += d, h[4] += e;
  }
  for (int i = 0; i < 20; i++) out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void accept_value(const char *key, char out[29]) {
  char text[64];
  int length = snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
  uint8_t digest[21] = {0};
  sha1_short((uint8_t *)text, (size_t)length, digest);
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int i = 0; i < 7; i++) {
    uint32_t v = (uint32_t)digest[i * 3] << 16 | (uint32_t)digest[i * 3 + 1] << 8 | digest[i * 3 + 2];
    for (int j = 0; j < 4; j++) out[i * 4 + j] = alphabet[v >> (18 - 6 * j) & 63];
  }
  out[27] = '=';
  out[28] = 0;
}

static void handshake(int fd, struct peer *peer, const struct expected *expected, struct counts *counts) {
  char text[4097];
  size_t have = 0;
  char *end = NULL;
  while (!end) {
    ssize_t n = recv(fd, text + have, sizeof text - 1 - have, 0);
    if (n <= 0) die("a client ended during its handshake");
    have += (size_t)n;
    text[have] = 0;
    end = strstr(text, "\r\n\r\n");
  }
  char *key = strcasestr(text, "\r\nsec-websocket-key:");
  if (!key) die("no key in the request");
  key += 20;
  while (*key == ' ') key++;
  char accept[29], response[256];
  accept_value(key, accept);
  int length = snprintf(response, sizeof response,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n",
                        accept);
  if (send(fd, response, (size_t)length, MSG_NOSIGNAL) != length) die("send: %s", strerror(errno));
  frames_take(&peer->frames, expected, (uint8_t *)end + 4, have - (size_t)(end + 4 - text), counts);
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  int source = strcmp(argument(argc, argv, "mode", "sink"), "source") == 0;
  const char *kind = argument(argc, argv, "kind", "binary");
  size_t size = (size_t)number(argc, argv, "size", 125);
  long connections = number(argc, argv, "connections", 4);
  pid_t pid = (pid_t)number(argc, argv, "pid", 0);
  uint64_t warmup = (uint64_t)number(argc, argv, "warmup", 300), duration = (uint64_t)number(argc, argv, "duration", 1000);

  uint8_t *payload = malloc(size + 1);
  fill_payload(payload, size, kind);
  int opcode = strcmp(kind, "binary") == 0 ? 2 : 1;
  struct expected expected = {payload, size, opcode, 1};
  struct counts total = {0, 0};
  uint8_t *batch = malloc(size + 14 + (1 << 20));
  size_t message = frame_header(batch, 1, opcode, 0, size);
  memcpy(batch + message, payload, size);
  message += size;
  size_t copies = (1 << 18) / message + 1;
  for (size_t i = 1; i < copies; i++) memcpy(batch + i * message, batch, message);

  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 511) != 0) die("listen");
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  alarm((unsigned)(4 * (warmup + duration) / 1000 + 60));

  int poller = epoll_create1(0);
  struct peer *all = calloc((size_t)connections, sizeof *all);
  for (long i = 0; i < connections; i++) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) die("accept: %s", strerror(errno));
    set_no_delay(fd);
    all[i].fd = fd;
    handshake(fd, &all[i], &expected, &total);
    set_nonblocking(fd);
    struct epoll_event event = {.events = source ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = &all[i]};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
  }

  struct stretch warm = stretch_begin(pid, warmup), measured;
  int measuring = 0;
  struct window from, to;
  struct epoll_event events[64];
  for (;;) {
    int n = epoll_wait(poller, events, 64, 20);
    for (int i = 0; i < n; i++) {
      struct peer *p = events[i].data.ptr;
      if (events[i].events & EPOLLIN) {
        ssize_t got = recv(p->fd, input, sizeof input, 0);
        if (got == 0) die("a client ended while measuring");
        if (got > 0 && !source) frames_take(&p->frames, &expected, input, (size_t)got, &total);
      }
      if (events[i].events & EPOLLOUT) {
        size_t offset = (size_t)(p->sent % (message * copies));
        ssize_t put = send(p->fd, batch + offset, message * copies - offset, MSG_NOSIGNAL);
        if (put > 0) {
          p->sent += (uint64_t)put;
          total.bytes += (uint64_t)put;
        }
      }
    }
    uint64_t now = now_ns();
    if (measuring) {
      if (!stretch_over(&measured, now)) continue;
      to = window_now(pid, &total);
      break;
    }
    if (stretch_over(&warm, now)) {
      measured = stretch_begin(pid, duration);
      from = window_now(pid, &total);
      measuring = 1;
    }
  }
  window_print(&from, &to, (double)(to.counts.bytes - from.counts.bytes) / (double)(source ? message : size));
  return 0;
}
