// requests_map.cpp: one function, many inputs. Can I have the results in input order without keeping a list of futures?
//
// map() is that loop: results come out in the order of the inputs, however long any of them took (the first request is the
// slowest here). The last argument bounds how many are submitted ahead of the one awaited, so the inputs may be very many.
#include <array>
#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <tpexec.hpp>

static std::size_t request(const std::string &page)
{
    std::this_thread::sleep_for(std::chrono::milliseconds(page == "/" ? 60 : 5));
    return page.size() * 100; // "the size of the page"
}

int main()
{
    const std::array<std::string, 8> pages{"/", "/a", "/bb", "/ccc", "/dddd", "/eeeee", "/ffffff", "/ggggggg"};
    tp::executor pool(4);

    auto page = pages.begin();
    for (std::size_t size : pool.map(pages, request, 4)) std::cout << *page++ << ": " << size << " bytes\n";
}
