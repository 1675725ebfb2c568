/** Which pictures of a page are marked: by what was pressed last, until the server has answered that very press. */
export class Marks {
  constructor() {
    Object.assign(this, { page: null, marked: new Set(), sent: null });
  }

  /**
   * What the server says. It may be the answer to an earlier press, which the next one would then be lost to: so what
   * was pressed since stays, unless this is another page.
   */
  accept({ page, marked, heard }) {
    if (page === this.page && this.sent !== null && heard !== this.sent) return;
    Object.assign(this, { page, marked: new Set(marked), sent: null });
  }

  /** Changes a picture; returns what the server is to be told: all that is marked now, and a number for its answer. */
  press(at, number) {
    if (!this.marked.delete(at)) this.marked.add(at);
    this.sent = number;
    return { marked: [...this.marked], number };
  }
}
