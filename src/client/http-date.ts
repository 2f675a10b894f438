/** Dates in HTTP headers (RFC 9110 section 5.6.7), in each of their three forms. It reads text and asks no clock. */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const TIME = '(\\d\\d):(\\d\\d):(\\d\\d)';
/** `Sun, 06 Nov 1994 08:49:37 GMT` */
const FIXED = new RegExp(`^[A-Z][a-z]{2}, (\\d\\d) ([A-Z][a-z]{2}) (\\d{4}) ${TIME} GMT$`);
/** `Sunday, 06-Nov-94 08:49:37 GMT` */
const RFC850 = new RegExp(`^[A-Z][a-z]{5,8}, (\\d\\d)-([A-Z][a-z]{2})-(\\d\\d) ${TIME} GMT$`);
/** `Sun Nov  6 08:49:37 1994` */
const ASCTIME = new RegExp(`^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \\d]\\d) ${TIME} (\\d{4})$`);

/**
 * Milliseconds since 1970, or null if `text` is no date.
 *
 * @example
 * parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT'); // 784111777000
 */
export function parseHttpDate(text: string): number | null {
  const fixed = FIXED.exec(text);
  if (fixed !== null) {
    const [, day, month, year, hour, minute, second] = fixed;
    return instant(Number(year), month!, Number(day), Number(hour), Number(minute), Number(second));
  }
  const old = RFC850.exec(text);
  if (old !== null) {
    const [, day, month, year, hour, minute, second] = old;
    // Two digits: of this century until 2069, as POSIX reads them. Which year it is now nobody has told us.
    const full = Number(year) + (Number(year) < 70 ? 2000 : 1900);
    return instant(full, month!, Number(day), Number(hour), Number(minute), Number(second));
  }
  const [, month, day, hour, minute, second, year] = ASCTIME.exec(text) ?? [];
  if (month === undefined) return null;
  return instant(Number(year), month, Number(day), Number(hour), Number(minute), Number(second));
}

function instant(
  year: number,
  monthName: string,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number | null {
  const month = MONTHS.indexOf(monthName);
  // A second of 60 is a leap second.
  if (month < 0 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 60) return null;
  return (((daysBefore(year, month) + day - 1) * 24 + hour) * 60 + minute) * 60_000 + second * 1_000;
}

function daysIn(year: number, month: number): number {
  return daysBefore(month === 11 ? year + 1 : year, (month + 1) % 12) - daysBefore(year, month);
}

/** Days from 1970 to the first of a month of the Gregorian calendar. Years begin in March here: the odd day comes last. */
function daysBefore(year: number, month: number): number {
  const shifted = month < 2 ? year - 1 : year;
  const sinceMarch = (month + 10) % 12;
  const leaps = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  return shifted * 365 + leaps + Math.floor((sinceMarch * 153 + 2) / 5) - 719_468;
}
