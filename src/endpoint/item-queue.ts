/** Messages on their way to an iterator: a bounded queue that ends as the connection does. */

import type { FailureError } from '../errors.ts';

interface Waiter<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/** An async iterator that something else fills. */
export class ItemQueue<T> implements AsyncIterableIterator<T, undefined> {
  private readonly items: T[] = [];
  private readonly waiters: Waiter<T>[] = [];
  private readonly limit: number;
  private readonly onTaken: () => void;
  private readonly onReturn: (left: T[]) => void;
  private over = false;
  private error: FailureError | null = null;

  constructor(limit: number, onTaken: () => void, onReturn: (left: T[]) => void) {
    this.limit = limit;
    this.onTaken = onTaken;
    this.onReturn = onReturn;
  }

  get full(): boolean {
    return this.items.length >= this.limit;
  }

  /** Whether it has ended, and everything was taken. */
  get done(): boolean {
    return this.over && this.items.length === 0;
  }

  push(item: T): void {
    const waiter = this.waiters.shift();
    if (waiter !== undefined) waiter.resolve({ done: false, value: item });
    else if (!this.over) this.items.push(item);
  }

  /** Nothing follows; with an error the iteration throws it after the last item. */
  end(error: FailureError | null): void {
    if (this.over) return;
    this.over = true;
    this.error = error;
    const waiters = this.waiters.splice(0);
    for (const waiter of waiters) this.settle(waiter);
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return new Promise((resolve, reject) => {
      if (this.items.length > 0) {
        resolve({ done: false, value: this.items.shift()! });
        this.onTaken();
      } else if (this.over) {
        this.settle({ resolve, reject });
      } else {
        this.waiters.push({ resolve, reject });
        this.onTaken();
      }
    });
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.end(null);
    this.error = null;
    this.onReturn(this.items.splice(0));
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private settle(waiter: Waiter<T>): void {
    const { error } = this;
    this.error = null;
    if (error === null) waiter.resolve({ done: true, value: undefined });
    else waiter.reject(error);
  }
}
