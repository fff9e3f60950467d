// requests_as_completed.cpp: how do I handle each answer as soon as it is there, and know which request it belongs to?
//
// as_completed() gives the futures in the order they complete, each with its index, which leads back to the input. The "server"
// of this program answers in a fixed order, which is the order to see in the output.
#include <array>
#include <future>
#include <iostream>
#include <string>
#include <tpexec.hpp>
#include <vector>

struct request {
    std::string page;
    std::promise<void> received = {}, answered = {};
};

static std::size_t ask(request &asked)
{
    asked.received.set_value();
    asked.answered.get_future().wait();
    return asked.page.size() * 100;
}

int main()
{
    constexpr std::size_t at_once = 4;
    std::array<request, 8> requests{{{"/"}, {"/a"}, {"/bb"}, {"/ccc"}, {"/dddd"}, {"/eeeee"}, {"/ffffff"}, {"/ggggggg"}}};
    // The server's: not the order of the requests, but only what it has received can it answer, four at a time.
    constexpr std::array<int, requests.size()> server_order{3, 1, 2, 0, 7, 6, 5, 4};

    tp::executor pool(at_once);
    std::vector<tp::future<std::size_t>> sizes;
    for (request &asked : requests) {
        sizes.push_back(pool.submit(ask, std::ref(asked)));
        // Several workers need not start tasks in order; here the first four shall be the first four.
        if (sizes.size() <= at_once) asked.received.get_future().wait();
    }

    auto next = server_order.begin();
    requests[*next++].answered.set_value();
    for (auto [i, size] : tp::as_completed(sizes)) {
        std::cout << requests[i].page << ": " << size.get() << " bytes\n";
        if (next != server_order.end()) requests[*next++].answered.set_value();
    }
}
