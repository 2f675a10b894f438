// The native load generator: many connections in one epoll loop, pre-encoded frames, one JSON line as the answer.
//
//   load mode=echo|broadcast|handshake|idle port=N [pid=N] [raw=1] [tls=1] [kind=binary|text|unicode] [size=N]
//        [fragment=N] [connections=N] [depth=N] [warmup=MS] [duration=MS]
//
// `pid` is the process whose CPU time is read at both ends of the measured window.
#include "common.h"
#ifdef WITH_TLS
#include <openssl/ssl.h>
#else
typedef void SSL;
#endif

static const char KEY[] = "dGhlIHNhbXBsZSBub25jZQ==";
static const char ACCEPT[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

struct connection {
  int fd;
  SSL *ssl;
  struct frames frames;
  struct counts counts;
  uint64_t sent;      // bytes
  uint64_t received;  // bytes (raw)
  uint64_t allowed;   // messages that may have been sent by now
  uint32_t armed;     // epoll events asked for
};

static struct {
  const char *mode, *kind;
  long port, pid, raw, tls, size, fragment, connections, depth, warmup, duration;
} options;

static int poller;
static uint8_t *batch;  // whole encoded messages, back to back
static size_t batch_length, message_length;
static uint8_t *payload;
static struct expected expected;
static struct counts total;
static int stopping;
static uint8_t input[256 * 1024];

// --- Bytes of one message -------------------------------------------------------------------------------------------

static size_t encode_frame(uint8_t *out, int fin, int opcode, const uint8_t *data, size_t length) {
  static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
  size_t at = frame_header(out, fin, opcode, 1, length);
  memcpy(out + at, key, 4);
  at += 4;
  for (size_t i = 0; i < length; i++) out[at + i] = data[i] ^ key[i & 3];
  return at + length;
}

static void encode_batch(void) {
  size_t size = (size_t)options.size, piece = options.fragment > 0 ? (size_t)options.fragment : size;
  size_t frames = piece > 0 ? size / piece + 1 : 1;
  int opcode = strcmp(options.kind, "binary") == 0 ? 2 : 1;
  payload = malloc(size + 1);
  fill_payload(payload, size, options.kind);
  expected = (struct expected){payload, size, opcode, 0};
  uint8_t *one = malloc(size + frames * 14);
  size_t at = 0;
  for (size_t offset = 0; offset == 0 || offset < size; offset += piece) {
    size_t length = size - offset < piece ? size - offset : piece;
    at += encode_frame(one + at, offset + length >= size, offset ? 0 : opcode, payload + offset, length);
    if (piece == 0) break;
  }
  message_length = at;
  size_t copies = (size_t)options.depth;
  if (copies * at > 1 << 20) copies = (1 << 20) / at;
  if (copies < 1) copies = 1;
  batch_length = copies * at;
  batch = malloc(batch_length);
  for (size_t i = 0; i < copies; i++) memcpy(batch + i * at, one, at);
  free(one);
}

// --- Input and output ----------------------------------------------------------------------------------------------

#ifdef WITH_TLS
static SSL_CTX *context;

static SSL *start_tls(int fd) {
  if (!context) {
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  }
  SSL *ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  if (SSL_connect(ssl) != 1) die("TLS handshake failed");
  return ssl;
}
#endif

/** Bytes moved; 0 = end; -1 = would block. */
static ssize_t get(struct connection *c, void *into, size_t length) {
#ifdef WITH_TLS
  if (c->ssl) {
    int n = SSL_read(c->ssl, into, (int)length);
    if (n > 0) return n;
    int error = SSL_get_error(c->ssl, n);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1 : 0;
  }
#endif
  ssize_t n = recv(c->fd, into, length, 0);
  if (n >= 0) return n;
  if (errno == EAGAIN || errno == EINTR) return -1;
  return 0;
}

static ssize_t put(struct connection *c, const void *from, size_t length) {
#ifdef WITH_TLS
  if (c->ssl) {
    int n = SSL_write(c->ssl, from, (int)length);
    if (n > 0) return n;
    int error = SSL_get_error(c->ssl, n);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1 : 0;
  }
#endif
  ssize_t n = send(c->fd, from, length, MSG_NOSIGNAL);
  if (n >= 0) return n;
  if (errno == EAGAIN || errno == EINTR) return -1;
  return 0;
}

static int open_socket(long index, int blocking) {
  int fd = socket(AF_INET, SOCK_STREAM | (blocking ? 0 : SOCK_NONBLOCK), 0);
  if (fd < 0) die("socket: %s", strerror(errno));
  set_no_delay(fd);
  int on = 1;
  // Ports of one source address run out; a port is then chosen at connect(), for the four-tuple.
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001u + (uint32_t)index)};
  if (bind(fd, (struct sockaddr *)&source, sizeof source) != 0) die("bind: %s", strerror(errno));
  struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr *)&target, sizeof target) != 0 && errno != EINPROGRESS) die("connect: %s", strerror(errno));
  return fd;
}

static size_t upgrade_request(char *out, size_t space) {
  return (size_t)snprintf(out, space,
                          "GET / HTTP/1.1\r\nHost: 127.0.0.1:%ld\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n",
                          options.port, KEY);
}

/** 1: a whole 101 with the right accept value; 0: more bytes are needed. */
static int upgrade_response(const char *text) {
  if (!strstr(text, "\r\n\r\n")) return 0;
  if (strncmp(text, "HTTP/1.1 101 ", 13) != 0 || !strstr(text, ACCEPT)) die("no 101: %.60s", text);
  return 1;
}

static void open_connection(struct connection *c, long index) {
  memset(c, 0, sizeof *c);
  c->fd = open_socket(index / 8000, 1);
#ifdef WITH_TLS
  if (options.tls) c->ssl = start_tls(c->fd);
#endif
  if (!options.raw) {
    char text[2048];
    size_t length = upgrade_request(text, sizeof text), have = 0;
    if (put(c, text, length) != (ssize_t)length) die("the upgrade request could not be sent");
    for (;;) {
      ssize_t n = get(c, text + have, sizeof text - 1 - have);
      if (n <= 0) die("the connection ended before a 101");
      have += (size_t)n;
      text[have] = 0;
      if (upgrade_response(text)) break;
    }
  }
  set_nonblocking(c->fd);
}

static void arm(struct connection *c, uint32_t events) {
  if (c->armed == events) return;
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(poller, c->armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event) != 0) die("epoll: %s", strerror(errno));
  c->armed = events;
}

// --- Echo and broadcast --------------------------------------------------------------------------------------------

static void send_allowed(struct connection *c) {
  uint64_t limit = c->allowed * message_length;
  if (stopping) limit = (c->sent + message_length - 1) / message_length * message_length;
  while (c->sent < limit) {
    size_t offset = (size_t)(c->sent % batch_length), length = batch_length - offset;
    if (length > limit - c->sent) length = (size_t)(limit - c->sent);
    ssize_t n = put(c, batch + offset, length);
    if (n == 0) die("the connection ended while sending");
    if (n < 0) {
      arm(c, EPOLLIN | EPOLLOUT);
      return;
    }
    c->sent += (uint64_t)n;
  }
  arm(c, EPOLLIN);
}

/** Reads what is there; true if something arrived. */
static int receive_some(struct connection *c) {
  int any = 0;
  for (int turn = 0; turn < 8; turn++) {
    ssize_t n = get(c, input, sizeof input);
    if (n == 0) die("the connection ended while measuring");
    if (n < 0) break;
    any = 1;
    struct counts before = c->counts;
    if (options.raw) {
      c->received += (uint64_t)n;
      c->counts.bytes = c->received;
      c->counts.messages = c->received / message_length;
    } else {
      frames_take(&c->frames, &expected, input, (size_t)n, &c->counts);
    }
    total.messages += c->counts.messages - before.messages;
    total.bytes += c->counts.bytes - before.bytes;
    if (!c->ssl && (size_t)n < sizeof input) break;
  }
  return any;
}

/** Closes as the protocol wants it, so that no server has errors to report: a Close frame, then their end. */
static void leave(struct connection *all, long count) {
  uint8_t closing[16], code[2] = {0x03, 0xe8};
  size_t length = encode_frame(closing, 1, 8, code, 2);
  struct timeval patience = {.tv_usec = 200000};
  for (long i = 0; i < count && !options.raw; i++) put(&all[i], closing, length);
  for (long i = 0; i < count; i++) {
    if (!options.raw) {
      fcntl(all[i].fd, F_SETFL, fcntl(all[i].fd, F_GETFL) & ~O_NONBLOCK);
      setsockopt(all[i].fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      while (recv(all[i].fd, input, sizeof input, 0) > 0) continue;
    }
    close(all[i].fd);
  }
}

static void run_traffic(void) {
  int broadcast = strcmp(options.mode, "broadcast") == 0;
  long count = options.connections;
  struct connection *all = calloc((size_t)count, sizeof *all);
  encode_batch();
  for (long i = 0; i < count; i++) open_connection(&all[i], i);
  for (long i = 0; i < count; i++) {
    all[i].allowed = broadcast ? (i == 0 ? (uint64_t)options.depth : 0) : (uint64_t)options.depth;
    arm(&all[i], EPOLLIN);
  }
  uint64_t burst = (uint64_t)options.depth;  // of a broadcast: the next one leaves when all of this one have arrived
  struct stretch warm = stretch_begin((pid_t)options.pid, (uint64_t)options.warmup), measured;
  int measuring = 0;
  uint64_t give_up = 0;
  struct window from, to;
  struct epoll_event events[256];
  for (long i = 0; i < count; i++) send_allowed(&all[i]);
  for (;;) {
    int n = epoll_wait(poller, events, 256, 20);
    for (int i = 0; i < n; i++) {
      struct connection *c = events[i].data.ptr;
      if (receive_some(c) && !broadcast) c->allowed = c->counts.messages + (uint64_t)options.depth;
      send_allowed(c);
    }
    if (broadcast && !stopping && total.messages >= burst * (uint64_t)count) {
      burst += (uint64_t)options.depth;
      all[0].allowed = burst;
      send_allowed(&all[0]);
    }
    uint64_t now = now_ns();
    if (stopping) {
      int quiet = 1;
      for (long i = 0; i < count && quiet; i++)
        quiet = broadcast || all[i].counts.messages * message_length >= all[i].sent;
      if (broadcast) quiet = total.messages >= burst * (uint64_t)count;
      if (quiet || now > give_up) break;
    } else if (measuring) {
      if (!stretch_over(&measured, now)) continue;
      to = window_now((pid_t)options.pid, &total);
      stopping = 1;
      give_up = now + 3000000000ull;
    } else if (stretch_over(&warm, now)) {
      measured = stretch_begin((pid_t)options.pid, (uint64_t)options.duration);
      from = window_now((pid_t)options.pid, &total);
      measuring = 1;
    }
  }
  // Payload bytes count parts of large messages that cross the ends of the window.
  double unit = options.raw ? (double)message_length : (double)options.size;
  double messages = unit > 0 ? (double)(to.counts.bytes - from.counts.bytes) / unit
                             : (double)(to.counts.messages - from.counts.messages);
  window_print(&from, &to, messages);
  leave(all, count);
}

// --- Handshakes ----------------------------------------------------------------------------------------------------

struct visit {
  int fd, state;  // 0 connecting, 1 waiting for the 101, 2 waiting for the end
  size_t have;
  char text[1024];
};

static void start_visit(struct visit *v, long index) {
  v->fd = open_socket(index % 16, 0);
  v->state = 0;
  v->have = 0;
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = v};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, v->fd, &event) != 0) die("epoll: %s", strerror(errno));
}

static void visit_send(struct visit *v, const void *data, size_t length) {
  if (send(v->fd, data, length, MSG_NOSIGNAL) != (ssize_t)length) die("send: %s", strerror(errno));
}

/** True when the visit is over. */
static int step_visit(struct visit *v) {
  if (v->state == 0) {
    char text[512];
    visit_send(v, text, upgrade_request(text, sizeof text));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = v};
    epoll_ctl(poller, EPOLL_CTL_MOD, v->fd, &event);
    v->state = 1;
    return 0;
  }
  ssize_t n = recv(v->fd, v->text + v->have, sizeof v->text - 1 - v->have, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (v->state == 1) {
    if (n <= 0) die("the connection ended before a 101");
    v->have += (size_t)n;
    v->text[v->have] = 0;
    if (!upgrade_response(v->text)) return 0;
    uint8_t closing[16], code[2] = {0x03, 0xe8};
    visit_send(v, closing, encode_frame(closing, 1, 8, code, 2));
    v->state = 2;
    v->have = 0;
    return 0;
  }
  if (n > 0) {
    v->have = 0;
    return 0;
  }
  close(v->fd);
  return 1;
}

static void run_handshakes(void) {
  struct visit *all = calloc((size_t)options.connections, sizeof *all);
  long index = 0;
  for (long i = 0; i < options.connections; i++) start_visit(&all[i], index++);
  struct stretch warm = stretch_begin((pid_t)options.pid, (uint64_t)options.warmup), measured;
  int measuring = 0;
  uint64_t give_up = 0;
  long active = options.connections;
  struct window from, to;
  struct epoll_event events[256];
  while (active > 0) {
    int n = epoll_wait(poller, events, 256, 20);
    for (int i = 0; i < n; i++) {
      struct visit *v = events[i].data.ptr;
      if (!step_visit(v)) continue;
      total.messages++;
      if (stopping) active--;
      else start_visit(v, index++);
    }
    uint64_t now = now_ns();
    if (stopping) {
      if (now > give_up) break;
    } else if (measuring) {
      if (!stretch_over(&measured, now)) continue;
      to = window_now((pid_t)options.pid, &total);
      stopping = 1;
      give_up = now + 3000000000ull;
    } else if (stretch_over(&warm, now)) {
      measured = stretch_begin((pid_t)options.pid, (uint64_t)options.duration);
      from = window_now((pid_t)options.pid, &total);
      measuring = 1;
    }
  }
  window_print(&from, &to, (double)(to.counts.messages - from.counts.messages));
}

// --- Idle ----------------------------------------------------------------------------------------------------------

static void run_idle(void) {
  struct connection *all = calloc((size_t)options.connections, sizeof *all);
  for (long i = 0; i < options.connections; i++) open_connection(&all[i], i);
  printf("{\"ready\":%ld}\n", options.connections);
  fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0) continue;
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  options.mode = argument(argc, argv, "mode", "echo");
  options.kind = argument(argc, argv, "kind", "binary");
  options.port = number(argc, argv, "port", 0);
  options.pid = number(argc, argv, "pid", 0);
  options.raw = number(argc, argv, "raw", 0);
  options.tls = number(argc, argv, "tls", 0);
  options.size = number(argc, argv, "size", 125);
  options.fragment = number(argc, argv, "fragment", 0);
  options.connections = number(argc, argv, "connections", 64);
  options.depth = number(argc, argv, "depth", 1);
  options.warmup = number(argc, argv, "warmup", 300);
  options.duration = number(argc, argv, "duration", 1000);
#ifndef WITH_TLS
  if (options.tls) die("built without TLS");
#endif
  alarm((unsigned)(4 * (options.warmup + options.duration) / 1000 + 120));  // whatever happens, it ends by itself
  poller = epoll_create1(0);
  if (strcmp(options.mode, "handshake") == 0) run_handshakes();
  else if (strcmp(options.mode, "idle") == 0) run_idle();
  else run_traffic();
  return 0;
}
