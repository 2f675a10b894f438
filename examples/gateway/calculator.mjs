// A module for `sansocket backend jsonrpc -L examples/gateway/calculator.mjs -C 4`: the methods that clients may call. `init`
// runs for every client; the text behind -C says how many digits results have.

export function init(config) {
  const digits = config === '' ? 2 : Number(config);
  const history = [];
  const remember = (value) => {
    const result = Number(value.toFixed(digits));
    history.push(result);
    return result;
  };
  const numbers = (call) => ({
    params: ['a', 'b'],
    run: (a, b) => {
      // An error with a whole number as its code is told to the client; any other is only "Internal error".
      if (typeof a !== 'number' || typeof b !== 'number')
        throw Object.assign(new Error('Invalid params'), { code: -32602 });
      return remember(call(a, b));
    },
  });
  return {
    methods: {
      add: numbers((a, b) => a + b),
      subtract: numbers((a, b) => a - b),
      multiply: numbers((a, b) => a * b),
      divide: numbers((a, b) => a / b),
      history: { params: [], run: () => history },
    },
    release() {
      history.length = 0;
    },
  };
}
